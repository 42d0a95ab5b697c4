import assert from "node:assert/strict";
import { createHash } from "node:crypto";
import { runCommand } from "#tests/support/process.ts";
import { countedOperations, withMount, workerModule } from "#tests/mount/support/mounted.ts";
import {
  LARGE_SIZE,
  LONG_NAME,
  MANY_COUNT,
  patternBytes,
} from "#tests/mount/support/test_trees.ts";

const workerUrl = workerModule("tree_worker.ts");
const MEMORY = { kind: "memory" } as const;
const LARGE_DIGEST = createHash("sha256").update(patternBytes(LARGE_SIZE)).digest("hex");

const VARIANTS = [
  { workers: 1, fastPath: true },
  { workers: 2, fastPath: true },
  { workers: 3, fastPath: true },
  { workers: 1, fastPath: false },
  { workers: 2, fastPath: false },
] as const;

for (const variant of VARIANTS) {
  const label = `${variant.workers} workers, ${variant.fastPath ? "fast path" : "callbacks"}`;

  Deno.test(`mountFileSystem() shows a tree in memory (${label})`, async () => {
    await withMount({ ...variant, workerUrl, description: MEMORY }, async ({ sh, failures }) => {
      assert.equal(await sh("cat hello.txt"), "hello\n");
      assert.equal(await sh("readlink link; cat link"), "hello.txt\nhello\n");
      assert.equal(await sh("cat sub/deeper/leaf"), "leaf\n");
      assert.equal(await sh(`cat ${LONG_NAME}`), "long\n");
      assert.equal(await sh("cat \"$(printf '\\377a\\376b')\""), "bytes\n");
      assert.equal(await sh("cat grün-日本"), "unicode\n");
      assert.equal((await sh("sha256sum large")).split(" ")[0], LARGE_DIGEST);
      assert.deepEqual(failures, []);
    });
  });

  Deno.test(`mountFileSystem() shows attributes exactly (${label})`, async () => {
    await withMount({ ...variant, workerUrl, description: MEMORY }, async ({ sh }) => {
      assert.equal(
        await sh("stat -c '%a %u %g %s %h %F' hello.txt; stat -c '%.9Y' hello.txt old.txt"),
        "640 12 34 6 1 regular file\n1000000000.123456789\n-86399.999999995\n".replace(
          "-86399.999999995",
          (-86_400 + 5e-9).toFixed(9),
        ),
      );
      const inodes = (await sh("stat -c '%i %h' one sub/two")).trim().split("\n");
      assert.equal(inodes[0], inodes[1]);
      assert.match(inodes[0]!, / 2$/);
      assert.equal(await sh("stat -c %F fifo"), "fifo\n");
      assert.equal(await sh("getfattr --only-values -n user.color hello.txt"), "blue");
      const names = await sh("getfattr hello.txt");
      assert.match(names, /user\.color\nuser\.empty\n/);
    });
  });

  Deno.test(`mountFileSystem() lists 20,000 names, each once (${label})`, async () => {
    await withMount({ ...variant, workerUrl, description: MEMORY }, async ({ sh }) => {
      const plain = (await sh("ls -f many")).trim().split("\n");
      assert.equal(plain.length, MANY_COUNT + 2);
      assert.equal(new Set(plain).size, MANY_COUNT + 2);
      const looked = await sh("find many -type f -size 0 | sort -u | wc -l");
      assert.equal(Number(looked), MANY_COUNT);
    });
  });
}

Deno.test("mountFileSystem() refuses changes of a read-only tree", async () => {
  await withMount({ workerUrl, description: MEMORY }, async (test) => {
    const attempts = [
      "echo x > new",
      "echo x >> hello.txt",
      "rm hello.txt",
      "mkdir dir",
      "mv hello.txt other",
      "ln hello.txt other",
      "ln -s hello.txt other",
      "chmod 600 hello.txt",
      "truncate -s 0 hello.txt",
      "setfattr -n user.x -v y hello.txt",
    ];
    for (const attempt of attempts) {
      const { code, stderr } = await test.try(attempt);
      assert.notEqual(code, 0, attempt);
      assert.match(stderr, /[Rr]ead-only file system/, attempt);
    }
  });
});

Deno.test("a missing name longer than any on Linux is too long; one that is there is found", async () => {
  await withMount({ workerUrl, description: MEMORY }, async ({ sh, try: attempt }) => {
    const look = async (name: string) => (await attempt(`cat '${name}'`)).stderr;
    assert.match(await look("m".repeat(255)), /No such file/);
    assert.match(await look("m".repeat(256)), /File name too long/);
    assert.match(await look("ö".repeat(127)), /No such file/);
    assert.match(await look("ö".repeat(128)), /File name too long/);
    assert.equal(await sh("cat $(ls | grep '^lengthy')"), "lengthy\n");
  });
});

Deno.test("mountFileSystem() answers a missing name from the kernel's memory", async () => {
  await withMount({ workerUrl, description: MEMORY }, async ({ mount, ...test }) => {
    await test.try("cat missing; cat missing; cat missing");
    const { lookup } = await countedOperations(mount);
    assert.equal(lookup?.count, 1);
    assert.equal(lookup?.errors, 0);
  });
});

Deno.test("mountFileSystem() keeps pages over opens", async () => {
  await withMount({ workerUrl, description: MEMORY }, async ({ mount, sh }) => {
    await sh("cat large > /dev/null");
    const first = (await countedOperations(mount))["read"]!;
    assert.ok(first.bytes >= LARGE_SIZE);
    await sh("cat large > /dev/null; cat large > /dev/null");
    assert.equal((await countedOperations(mount))["read"]!.bytes, first.bytes);
  });
});

Deno.test("MountStatistics.reset() starts from zero", async () => {
  await withMount({ workerUrl, description: MEMORY }, async ({ mount, sh }) => {
    await sh("cat hello.txt");
    assert.equal((await countedOperations(mount))["open"]?.count, 1);
    mount.statistics.reset();
    assert.equal((await countedOperations(mount))["open"], undefined);
    await sh("cat empty");
    const open = (await countedOperations(mount))["open"]!;
    assert.equal(open.count, 1);
    assert.ok(open.p50_us > 0 && open.p99_us >= open.p50_us);
  });
});

Deno.test("mountFileSystem() serves four readers at the same time", async () => {
  await withMount({ workers: 2, workerUrl, description: MEMORY }, async ({ sh }) => {
    const output = await sh(
      "for i in 1 2 3 4; do sha256sum < large & done; wait",
    );
    const digests = output.trim().split("\n").map((line) => line.split(" ")[0]);
    assert.deepEqual(digests, [LARGE_DIGEST, LARGE_DIGEST, LARGE_DIGEST, LARGE_DIGEST]);
  });
});

Deno.test("mountFileSystem() shows a host directory as it is", async () => {
  const source = await Deno.makeTempDir({ prefix: "pbkfs-source-" });
  try {
    await Deno.mkdir(`${source}/a/b`, { recursive: true });
    await Deno.writeTextFile(`${source}/a/b/c`, "deep\n");
    await Deno.writeFile(`${source}/big`, patternBytes(3_000_001));
    await Deno.link(`${source}/big`, `${source}/a/linked`);
    await Deno.symlink("a/b/c", `${source}/link`);
    const description = { kind: "loopback", path: source } as const;
    await withMount({ workers: 2, workerUrl, description }, async ({ path }) => {
      await runCommand(["diff", "-r", "--no-dereference", source, path], { timeoutMs: 20_000 });
      const format = "%P %m %U %G %s %l %Ts\n";
      const listings = [];
      for (const directory of [source, path]) {
        const { stdout } = await runCommand(
          ["find", directory, "!", "-type", "d", "-printf", format],
          { timeoutMs: 20_000 },
        );
        listings.push(stdout.split("\n").sort().join("\n"));
      }
      assert.equal(listings[1], listings[0]);
    });
  } finally {
    await Deno.remove(source, { recursive: true });
  }
});
