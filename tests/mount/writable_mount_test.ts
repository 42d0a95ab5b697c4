import assert from "node:assert/strict";
import { HANDLES_XATTR, LOOKUPS_XATTR } from "#tests/mount/support/host_file_system.ts";
import {
  countedOperations,
  type TestMount,
  withMount,
  workerModule,
} from "#tests/mount/support/mounted.ts";
import { runPosixSuite } from "#tests/support/posix_run.ts";

const workerUrl = workerModule("host_worker.ts");

async function withHostMount(
  options: { fastPath?: boolean },
  body: (test: TestMount, source: string) => Promise<void>,
): Promise<void> {
  const source = await Deno.makeTempDir({ prefix: "pbkfs-host-" });
  await Deno.chmod(source, 0o755);
  try {
    await withMount(
      {
        workerUrl,
        fastPath: options.fastPath ?? true,
        workers: 1,
        description: source,
        allowOther: true,
      },
      (test) => body(test, source),
    );
  } finally {
    await Deno.remove(source, { recursive: true });
  }
}

for (const fastPath of [true, false]) {
  const label = fastPath ? "fast path" : "callbacks";

  Deno.test(`a writable mount passes the POSIX suite (${label})`, async () => {
    await withHostMount({ fastPath }, async ({ path }) => {
      const outcome = await runPosixSuite(path);
      assert.deepEqual(outcome.failed, []);
      assert.ok(outcome.passed > 20);
    });
  });

  Deno.test(`lookup counts and handles return to zero when caches are dropped (${label})`, async () => {
    await withHostMount({ fastPath }, async ({ sh }) => {
      await sh("for i in $(seq 200); do echo $i > f$i; done; ls -l > /dev/null; cat f1 f2");
      await sh("mkdir d; mv f1 d/; ln f2 d/hard; ln -s f2 soft; rm f3; mkfifo p; ls -lR");
      const count = async (name: string) => Number(await sh(`getfattr --only-values -n ${name} .`));
      assert.ok(await count(LOOKUPS_XATTR) >= 200);
      await sh("sync; echo 2 > /proc/sys/vm/drop_caches; sleep 0.2");
      await sh("echo 2 > /proc/sys/vm/drop_caches; sleep 0.2");
      assert.equal(await count(LOOKUPS_XATTR), 0);
      assert.equal(await count(HANDLES_XATTR), 0);
    });
  });

  Deno.test(`set-user-id goes with a write, and a write does not ask for capabilities (${label})`, async () => {
    await withHostMount({ fastPath }, async ({ sh, mount }) => {
      // Only a user without CAP_FSETID loses the bits.
      await sh("echo x > f; chmod 6777 f; chmod 777 .");
      assert.equal(await sh("stat -c %a f"), "6777\n");
      await sh("setpriv --reuid=65534 --regid=65534 --clear-groups sh -c 'echo y >> f'");
      assert.equal(await sh("stat -c %a f"), "777\n");
      await sh("chmod 4777 f");
      await sh("setpriv --reuid=65534 --regid=65534 --clear-groups sh -c ': > f'");
      assert.equal(await sh("stat -c %a f"), "777\n");
      mount.statistics.reset();
      await sh("dd if=/dev/zero of=f bs=8192 count=100 conv=notrunc 2> /dev/null");
      const { write, getxattr } = await countedOperations(mount);
      assert.equal(write?.count, 100);
      assert.equal(write?.bytes, 819_200);
      // The kernel asks once for each file, not once for each write.
      assert.ok((getxattr?.count ?? 0) <= 1);
    });
  });

  Deno.test(`extended attributes, statfs, holes and copies work (${label})`, async () => {
    await withHostMount({ fastPath }, async ({ sh, ...test }) => {
      await sh("echo abc > f; setfattr -n user.k -v value f");
      assert.equal(await sh("getfattr --only-values -n user.k f"), "value");
      assert.match(await sh("getfattr f"), /user\.k/);
      await sh("setfattr -x user.k f");
      assert.notEqual((await test.try("getfattr --only-values -n user.k f")).code, 0);
      assert.match(await sh("stat -f -c '%b %s' ."), /^[1-9]\d* \d+\n$/);
      await sh("truncate -s 1M sparse; echo end >> sparse; fallocate -l 4096 sparse");
      assert.equal(await sh("cp --reflink=auto --sparse=auto sparse copy; cmp sparse copy"), "");
      assert.equal(await sh("flock f -c 'echo locked'"), "locked\n");
    });
  });

  Deno.test(`large transfers arrive whole in requests of up to 1 MiB (${label})`, async () => {
    await withHostMount({ fastPath }, async ({ sh, mount }, source) => {
      await sh(`head -c 20000003 /dev/urandom > ${source}.random`);
      await sh(`dd if=${source}.random of=f bs=4M 2> /dev/null; cmp f ${source}.random`);
      assert.ok((await countedOperations(mount))["write"]!.count <= 24);
      await sh("sync; echo 1 > /proc/sys/vm/drop_caches");
      await sh(`cmp f ${source}.random; rm ${source}.random`);
    });
  });
}

Deno.test("files are made with the umask and owner of the requester", async () => {
  await withHostMount({}, async ({ sh }) => {
    await sh("chmod 777 .");
    await sh(
      "setpriv --reuid=65534 --regid=65533 --clear-groups sh -c " +
        "'umask 027; echo x > f; mkdir d; mkfifo p; ln -s f l'",
    );
    assert.equal(
      await sh("stat -c '%n %a %u %g' f d p l"),
      "f 640 65534 65533\nd 750 65534 65533\np 640 65534 65533\nl 777 65534 65533\n",
    );
  });
});

Deno.test("a file with a backing file is read and written by the kernel alone", async () => {
  const probe = await Deno.makeTempFile({ prefix: "pbkfs-probe-" });
  const source = await Deno.makeTempDir({ prefix: "pbkfs-host-" });
  const options = { workerUrl, workers: 1, description: source, backingPaths: [probe] };
  try {
    await withMount(options, async ({ sh, mount, failures }) => {
      assert.ok(mount.kernelFeatures.includes("PASSTHROUGH"));
      await sh(`head -c 3000000 /dev/urandom > f; cp f ${probe}; cmp f ${probe}`);
      // Several opens at a time share one registration; a size that grows is seen at once.
      await sh("exec 3<> f 4>> f; echo tail >&4; tail -c 5 f | grep -q tail");
      assert.equal(await sh("stat -c %s f"), "3000005\n");
      const { read, write, open, create } = await countedOperations(mount);
      assert.ok(open!.count + create!.count >= 4);
      assert.equal(read, undefined);
      assert.equal(write, undefined);
      assert.deepEqual(failures, []);
    });
  } finally {
    await Deno.remove(probe);
    await Deno.remove(source, { recursive: true });
  }
});
