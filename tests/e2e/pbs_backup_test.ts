/**
 * Backups and restores by the program: a tree with everything in it, an image and a file, in every
 * mode of change detection and with every use of a key; what cannot be read; interruptions; wrong
 * usage.
 *
 * The trees are made and compared by the system's own tools, the datastores are checked by an
 * independent program.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Datastore } from "#src/pbs/datastore.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { bash, describeTree, makeEverythingTree } from "#tests/support/everything_tree.ts";
import { pbkfsCommand } from "#tests/support/pbkfs.ts";
import { KEY_PASSPHRASE, PBS_KEYS } from "#tests/support/pbs_fixtures.ts";
import { runCommand, waitUntil } from "#tests/support/process.ts";
import { PbsStore } from "./_pbs_store.ts";

const TIMEOUT_MS = 300_000;
const SMALL_FILES = 500;
const SPARSE_SIZE = 64 << 20;
const IMAGE_SIZE = 9_000_000;

const MODES = ["legacy", "data", "metadata"] as const;
const KEYS: Readonly<Record<string, readonly string[]>> = {
  none: [],
  encrypt: ["--keyfile", `${PBS_KEYS}/key-none.json`],
  "sign-only": ["--keyfile", `${PBS_KEYS}/key-none.json`, "--crypt-mode", "sign-only"],
};

const remove = (path: string) => bash('chattr -R -f -ai "$1" || true; rm -rf "$1"', path);

function summaryOf(output: string): Record<string, unknown> {
  return JSON.parse(output.trim().split("\n").at(-1)!);
}

Deno.test("pbs backup and restore give back a tree with everything in it, an image and a file", async (t) => {
  await using store = await PbsStore.create();
  const { home } = store;
  const tree = home.join("tree");
  Deno.mkdirSync(tree);
  await makeEverythingTree(tree, SMALL_FILES, SPARSE_SIZE);
  const expected = await describeTree(tree);
  const image = home.join("disk.raw");
  await bash('head -c 5000000 /dev/urandom >"$1"; truncate -s "$2" "$1"', image, `${IMAGE_SIZE}`);
  const conf = home.join("vm.conf");
  Deno.writeTextFileSync(conf, "memory: 512\n");
  const specs = [`root.pxar:${tree}`, `disk.img:${image}`, `vm.conf:${conf}`];

  for (const mode of MODES) {
    for (const [cryptMode, key] of Object.entries(KEYS)) {
      const id = `${mode}-${cryptMode}`;
      const backup = [
        "backup",
        ...specs,
        ...key,
        "--backup-id",
        id,
        "--change-detection-mode",
        mode,
        "--format",
        "json",
      ];
      const [keyfile, keyPath] = key;
      const readKey = keyfile === undefined ? [] : [keyfile, keyPath!];

      await t.step(`${id}: first`, async () => {
        const { code, stdout, stderr } = await store.run(backup);
        assert.equal(code, 0, stderr);
        const summary = summaryOf(stdout);
        assert.equal(summary["crypt-mode"], cryptMode);
        assert.equal(summary.errors, 0);
        const target = home.join("restored");
        await store.must(["restore", `host/${id}`, "root.pxar", target, ...readKey]);
        const actual = (await describeTree(target)).split("\n");
        const wanted = expected.split("\n");
        const first = wanted.findIndex((line, index) => line !== actual[index]);
        assert.equal(actual[first], wanted[first], "first difference");
        assert.equal(actual.length, wanted.length);
        await remove(target);
        const restored = home.join("restored.raw");
        await store.must(["restore", `host/${id}`, "disk.img", restored, ...readKey]);
        await bash('cmp "$1" "$2"; rm "$2"', image, restored);
        const text = await store.must(["restore", `host/${id}`, "vm.conf", "-", ...readKey]);
        assert.equal(text, "memory: 512\n");
      });

      await t.step(`${id}: unchanged`, async () => {
        const { code, stdout, stderr } = await store.run(backup);
        assert.equal(code, 0, stderr);
        const summary = summaryOf(stdout);
        const [archive] = summary.archives as {
          new_bytes: number;
          reuse?: { read_files: number };
        }[];
        // The markers at both ends and the metadata, into which offsets are written, are new in
        // metadata mode.
        assert.ok(archive!.new_bytes < 1 << 20, `${archive!.new_bytes} new bytes`);
        if (mode === "metadata") assert.equal(archive!.reuse!.read_files, 0);
        const target = home.join("restored");
        await store.must(["restore", `host/${id}`, "root.pxar", target, ...readKey]);
        assert.ok(await describeTree(target) === expected, "the tree is the same");
        await remove(target);
      });
    }
  }

  await t.step("the datastore is as it has to be", async () => {
    await store.check("--key", `${PBS_KEYS}/key-none.json`);
    const { code, stderr } = await store.run(["verify"]);
    assert.equal(code, 0, stderr);
  });
  await remove(tree);
});

Deno.test("pbs backup leaves unreadable files out, lists them, and its exit code says so", async () => {
  await using store = await PbsStore.create();
  const tree = store.home.join("tree");
  await bash(
    'mkdir "$1"; echo a >"$1/open"; echo b >"$1/shut"; chmod 0 "$1/shut"; chown -R nobody "$1" "$2"',
    tree,
    store.path,
  );
  const command = pbkfsCommand(["pbs", "backup", `root.pxar:${tree}`, "--backup-id", "some"]);
  for (const format of ["text", "json"]) {
    const { code, stdout, stderr } = await runCommand(
      ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups", ...command]
        .concat("--format", format),
      {
        timeoutMs: TIMEOUT_MS,
        check: false,
        env: {
          HOME: "/no-such-place",
          PBS_REPOSITORY: `dir:${store.path}`,
          PATH: Deno.env.get("PATH") ?? "",
        },
      },
    );
    assert.equal(code, 1, stderr);
    assert.match(stderr, /root\.pxar:\/shut/);
    assert.match(stderr, /Not everything was backed up: 1 problem/);
    if (format === "json") assert.equal(summaryOf(stdout).errors, 1);
    assert.equal(await store.must(["cat", "host/some", "root.pxar", "/open"]), "a\n");
    assert.equal(await store.must(["ls", "host/some", "root.pxar"]), "open\n");
    assert.match(
      await store.must(["restore", "host/some", "client.log", "-"]),
      /root\.pxar:\/shut/,
    );
  }
});

Deno.test("pbs backup that is interrupted leaves no snapshot, and the next one succeeds", async () => {
  await using store = await PbsStore.create();
  const image = store.home.join("large.raw");
  await bash('truncate -s 64G "$1"', image);
  for (const signal of ["SIGINT", "SIGTERM"] as const) {
    const running = store.start(["backup", `disk.img:${image}`, "--backup-id", "big"]);
    const group = `${store.path}/host/big`;
    await waitUntil(
      () => [...readNames(group)].some((name) => name !== "owner"),
      60_000,
      () => "there is no snapshot",
    );
    running.signalGroup(signal);
    const { code, stderr } = await running.wait(60_000);
    assert.equal(code, 1, stderr);
    assert.match(stderr, /Interrupted: the snapshot was given up/);
    assert.deepEqual([...readNames(group)].filter((name) => name !== "owner"), []);
  }
  await store.must(["backup", "vm.conf:/etc/hostname", "--backup-id", "big"]);
  await store.check();
});

Deno.test("pbs restore of an image that is interrupted leaves no part of it", async () => {
  await using store = await PbsStore.create();
  const image = store.home.join("large.raw");
  await bash('truncate -s 4G "$1"', image);
  await store.must(["backup", `disk.img:${image}`, "--backup-id", "big"]);
  const target = store.home.join("restored.raw");
  const running = store.start(["restore", "host/big", "disk.img", target]);
  await waitUntil(() => readNames(store.home.path).includes("restored.raw"), 60_000, () => "");
  running.signalGroup("SIGTERM");
  const { code, stderr } = await running.wait(60_000);
  assert.equal(code, 1, stderr);
  assert.match(stderr, /Interrupted: the file was removed again/);
  assert.ok(!readNames(store.home.path).includes("restored.raw"));
});

function readNames(path: string): string[] {
  try {
    return [...Deno.readDirSync(path)].map(({ name }) => name);
  } catch {
    return [];
  }
}

Deno.test("pbs backup --dry-run writes nothing", async () => {
  await using store = await PbsStore.create();
  const before = await bash('cd "$1"; find . | sort', store.path);
  const args = ["backup", "root.pxar:/etc/init.d", "a.conf:/etc/hostname", "--dry-run"];
  const text = await store.must(args);
  assert.match(text, /dry-run: nothing was written/);
  // What is new is not known.
  assert.doesNotMatch(text, /new|reused/);
  const summary = JSON.parse((await store.run([...args, "--format", "json"])).stdout);
  assert.equal(summary.reused_bytes, undefined);
  assert.equal(await bash('cd "$1"; find . | sort', store.path), before);
  const elsewhere = ["--repository", `dir:${store.home.join("none")}`];
  for (const wrong of [["--ns", "none"], elsewhere]) {
    assert.equal((await store.run([...args, ...wrong])).code, 1);
  }
  const place = ["--backup-id", "a", "--backup-time"];
  await store.must(["backup", "a.conf:/etc/hostname", ...place, "1704967200"]);
  const late = await store.run([...args, ...place, "1704967200"]);
  assert.match(late.stderr, /host\/a\/2024-01-11T10:00:00Z: it exists/);
  assert.equal(late.code, 1);
});

Deno.test("pbs status and prune tell of groups that cannot be read, and do the rest", async () => {
  await using store = await PbsStore.create();
  for (const id of ["open", "shut"]) {
    await store.must(["backup", "a.conf:/etc/hostname", "--backup-id", id]);
  }
  await bash(
    'chown -R nobody "$1"; chown root "$1/host/shut"; chmod 700 "$1/host/shut"',
    store.path,
  );
  for (const args of [["status", "--verbose"], ["prune", "--keep-last", "1"]]) {
    const { code, stdout, stderr } = await runCommand(
      ["setpriv", "--reuid=nobody", "--regid=nogroup", "--clear-groups"]
        .concat(pbkfsCommand(["pbs", ...args, "--format", "json"])),
      {
        timeoutMs: TIMEOUT_MS,
        check: false,
        env: {
          HOME: "/no-such-place",
          PBS_REPOSITORY: `dir:${store.path}`,
          PATH: Deno.env.get("PATH") ?? "",
        },
      },
    );
    assert.equal(code, 1, stderr);
    const [problem, error] = stderr.trimEnd().split("\n").map((line) => JSON.parse(line));
    assert.deepEqual([problem.path, problem.code, error.code], ["host/shut", "EACCES", "partial"]);
    const found = JSON.parse(stdout);
    if (args[0] === "status") assert.deepEqual(found.counts.host, { groups: 2, snapshots: 1 });
    else assert.deepEqual(found.map((each: Record<string, string>) => each["backup-id"]), ["open"]);
  }
});

Deno.test("pbs backup in metadata mode stores anew what it finds corrupt of the previous archive", async () => {
  await using store = await PbsStore.create();
  const tree = store.home.join("tree");
  await bash('mkdir "$1"; for i in $(seq 300); do echo "$i" >"$1/f$i"; done', tree);
  const args = [`root.pxar:${tree}`, "--change-detection-mode", "metadata", "--backup-id", "a"];
  await store.backup(args);
  const reader = Datastore.open(store.path);
  const [snapshot] = reader.snapshots({ ns: ROOT_NAMESPACE, type: "host", id: "a" });
  const digest = reader.openSnapshot(snapshot!).dynamicIndex("root.mpxar.didx").digestOf(0);
  const chunk = `${store.path}/.chunks/${digest.slice(0, 4)}/${digest}`;
  const bytes = Deno.readFileSync(chunk);
  bytes[bytes.length - 1]! ^= 1;
  Deno.writeFileSync(chunk, bytes);
  const { code, stderr } = await store.run(["backup", ...args]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^warning: .*CRC is wrong/m);
  assert.deepEqual(Deno.readFileSync(`${chunk}.0.bad`), bytes);
  await store.must(["verify"]);
  await store.must(["restore", "host/a", "root.pxar", store.home.join("restored")]);
  await bash('diff -r "$1" "$2"', tree, store.home.join("restored"));
});

Deno.test("pbs restore restores what a damaged and a missing chunk leave", async (t) => {
  for (const mode of ["legacy", "data"]) {
    await t.step(mode, async () => {
      await using store = await PbsStore.create();
      const tree = store.home.join("tree");
      const restored = store.home.join("restored");
      await bash(
        'mkdir "$1"; for i in $(seq 10 29); do head -c 1000000 /dev/urandom >"$1/f$i"; done',
        tree,
      );
      const args = [`root.pxar:${tree}`, "--change-detection-mode", mode, "--backup-id", "a"];
      await store.backup([...args, "--chunk-size", "64"]);
      const reader = Datastore.open(store.path);
      const [snapshot] = reader.snapshots({ ns: ROOT_NAMESPACE, type: "host", id: "a" });
      const name = mode === "data" ? "root.ppxar.didx" : "root.pxar.didx";
      const index = reader.openSnapshot(snapshot!).dynamicIndex(name);
      const inside = (size: number) => index.digestOf(index.find(size));
      // In the middle of the third file, and of the twelfth.
      const [damaged, missing] = [inside(2_500_000), inside(11_500_000)].map((digest) =>
        `${store.path}/.chunks/${digest.slice(0, 4)}/${digest}`
      );
      Deno.writeFileSync(damaged!, Deno.readFileSync(damaged!).fill(1, 20, 60));
      Deno.removeSync(missing!);
      const { code, stderr } = await store.run(["restore", "host/a", "root.pxar", restored]);
      assert.equal(code, 1);
      assert.match(stderr, /CRC is wrong[^]*Cannot find chunk[^]*Not everything was restored/);
      const failed = [...stderr.matchAll(/"\/(f\d+)"/g)].map((match) => match[1]!);
      assert.ok(failed.includes("f12") && failed.includes("f21") && failed.length < 5, stderr);
      for (const { name } of Deno.readDirSync(tree)) {
        if (failed.includes(name)) continue;
        assert.deepEqual(
          Deno.readFileSync(`${restored}/${name}`),
          Deno.readFileSync(`${tree}/${name}`),
        );
      }
    });
  }
});

Deno.test("pbs backup warns of a source that has the datastore in it", async () => {
  await using store = await PbsStore.create();
  const spec = `root.pxar:${store.path}`;
  const { code, stderr } = await store.run(["backup", spec, "--dry-run"]);
  assert.equal(code, 0, stderr);
  assert.match(stderr, /^warning: root\.pxar: "\/\.chunks" is what this datastore stores/);
  await store.must(["backup", spec, "--exclude", "/.chunks"]);
});

Deno.test("pbs backup and diff take directories in places that Deno keeps for itself", async () => {
  await using store = await PbsStore.create();
  const source = (await bash("mktemp -d -p /dev/shm")).trim();
  try {
    await bash('echo content >"$1/file"', source);
    await store.must(["backup", `root.pxar:${source}`, "--backup-id", "a"]);
    await store.must(["diff", "host/a", source, "root.pxar"]);
  } finally {
    await bash('rm -r "$1"', source);
  }
});

Deno.test("pbs backup stores names in namespaces, of other types and times, in chunks of another size", async () => {
  await using store = await PbsStore.create();
  await store.must(["namespace", "create", "team"]);
  const place = ["--ns", "team", "--backup-type", "ct", "--backup-id", "7"];
  const args = ["backup", "root.pxar:/etc", "--exclude", "*.conf", "--chunk-size", "64", ...place];
  await store.must([...args, "--backup-time", "2024-01-10T10:00:00Z"]);
  await store.must([...args, "--backup-time", "1704967200"]);
  const listed = JSON.parse(await store.must(["snapshots", "--ns", "team", "--format", "json"]));
  assert.deepEqual(listed.map((each: Record<string, unknown>) => each["backup-time"]), [
    1704880800,
    1704967200,
  ]);
  const names = await store.must(["ls", "-R", "ct/7", "root.pxar", "--ns", "team"]);
  assert.ok(names.includes("/hostname\n"));
  assert.ok(!names.includes(".conf\n"));
  const { code, stderr } = await store.run([...args, "--backup-time", "1704880800"]);
  assert.equal(code, 1);
  assert.match(stderr, /2024-01-10T10:00:00Z|older/);
  await store.check();
});

Deno.test("pbs backup with a master key stores the key for its owner", async () => {
  await using store = await PbsStore.create();
  const [key, pem] = [`${PBS_KEYS}/key-scrypt.json`, `${PBS_KEYS}/master-public.pem`];
  const env = { PBS_ENCRYPTION_PASSWORD: KEY_PASSPHRASE };
  const args = ["a.conf:/etc/hostname", "--backup-id", "m", "--keyfile", key];
  await store.backup([...args, "--master-pubkey-file", pem], { env });
  const files = await store.must(["files", "host/m"]);
  assert.match(files, /rsa-encrypted\.key/);
  const sealed = store.home.join("sealed");
  // Whoever needs it has lost the key.
  await store.must(["restore", "host/m", "rsa-encrypted.key", sealed]);
  assert.equal(Deno.statSync(sealed).size, 512);
  assert.match((await store.run(["restore", "host/m", "a.conf", "-"])).stderr, /missing/);
  const again = store.home.join("again");
  await store.must(["restore", "host/m", "rsa-encrypted.key", again, "--keyfile", key], { env });
  assert.deepEqual(Deno.readFileSync(again), Deno.readFileSync(sealed));
  await store.check();
});

Deno.test("pbs backup and restore refuse what the real client refuses", async (t) => {
  await using store = await PbsStore.create();
  const empty = store.home.join("empty");
  Deno.writeTextFileSync(empty, "");
  const [none, scrypt] = [`${PBS_KEYS}/key-none.json`, `${PBS_KEYS}/key-scrypt.json`];
  await store.must(["backup", "a.conf:/etc/hostname", "--backup-id", "plain"]);
  await store.backup(["a.conf:/etc/hostname", "--backup-id", "keyed", "--keyfile", none]);
  const target = store.home.join("there");
  Deno.writeTextFileSync(target, "mine");
  const cases:
    readonly (readonly [args: string, code: number, message: RegExp, password?: string])[] = [
      ["backup root.pxar:/no-such-place", 1, /\/no-such-place/],
      ["backup root.tar:/etc", 2, /root\.tar/],
      ["backup root.pxar:/etc/hostname", 2, /directory/],
      ["backup x.img:/etc", 2, /image|file or block device/],
      ["backup a.conf:/etc/hostname a.conf:/etc/hosts", 2, /got target twice: .a\.conf/],
      [`backup a.img:${empty}`, 2, /empty|zero/],
      ["backup a.conf:/etc/hostname --backup-id a/b", 2, /a\/b/],
      ["backup a.conf:/etc/hostname --chunk-size 100", 2, /power of two/],
      ["backup a.conf:/etc/hostname --crypt-mode encrypt", 2, /--crypt-mode without --keyfile/],
      [`backup a.conf:/etc/hostname --crypt-mode none --keyfile ${none}`, 2, /mutually exclusive/],
      ["backup a.conf:/etc/hostname --ns not/there", 1, /not\/there|namespace/],
      ["backup a.conf:/etc/hostname --repository me@pbs@server:1:2:store", 2, /repository/],
      ["restore host/keyed a.conf -", 1, /made with key .*missing/],
      [
        `restore host/keyed a.conf - --keyfile ${scrypt}`,
        1,
        /wrong key|other key|not.*key/i,
        KEY_PASSPHRASE,
      ],
      [`restore host/keyed a.conf - --keyfile ${scrypt}`, 1, /Unable to decrypt key/, "wrongpass"],
      ["restore host/plain b.conf -", 1, /does not contain file "b\.conf\.blob"/],
      ["restore host/nope a.conf -", 1, /does not contain any snapshots/],
      ["restore host/plain/2001-01-01T00:00:00Z a.conf -", 1, /2001-01-01T00:00:00Z/],
      ["restore host/plain/bad a.conf -", 2, /host\/plain\/bad/],
      [`restore host/plain a.conf ${target}`, 1, /EEXIST|exists/],
    ];
  for (const [args, code, message, password] of cases) {
    await t.step(args.replaceAll(/\/\S*\//g, ""), async () => {
      const env = password === undefined ? {} : { PBS_ENCRYPTION_PASSWORD: password };
      const result = await store.run(args.split(" "), { env });
      assert.match(result.stderr, message);
      assert.equal(result.code, code, result.stderr);
      assert.equal(result.stdout, "");
    });
  }
  assert.equal(Deno.readTextFileSync(target), "mine");
});

Deno.test("pbs restore replaces files and restores parts only where it is told to", async () => {
  await using store = await PbsStore.create();
  const tree = store.home.join("tree");
  await bash('mkdir -p "$1/a/b"; echo 1 >"$1/a/b/x.txt"; echo 2 >"$1/a/y.log"', tree);
  await store.must(["backup", `root.pxar:${tree}`, `f.conf:${tree}/a/y.log`, "--backup-id", "t"]);
  const target = store.home.join("out");
  await store.must(["restore", "host/t", "root.pxar", target, "--pattern", "*.txt"]);
  assert.equal(await bash('cd "$1"; find . -type f', target), "./a/b/x.txt\n");
  const again = await store.run(["restore", "host/t", "root.pxar", target]);
  assert.equal(again.code, 1);
  await store.must(
    ["restore", "host/t", "root.pxar", target, "--allow-existing-dirs", "--overwrite"],
  );
  assert.equal(await bash('diff -r "$1" "$2" && echo same', tree, target), "same\n");
  const file = store.home.join("f");
  Deno.writeTextFileSync(file, "old");
  await store.must(["restore", "host/t", "f.conf", file, "--overwrite"]);
  assert.equal(Deno.readTextFileSync(file), "2\n");
  const stream = await store.run(["restore", "host/t", "root.pxar", "-"]);
  assert.ok(stream.stdout.length > 100, "the archive itself goes to standard output");
});
