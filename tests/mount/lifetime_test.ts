import assert from "node:assert/strict";
import { StateError, UsageError } from "#src/errors.ts";
import {
  END_TIMEOUT_MS,
  isMounted,
  mountFileSystem,
  prepareMountPoint,
  probeMountPoint,
  unmountPath,
} from "#src/mount/mod.ts";
import { countedOperations, withMount, workerModule } from "#tests/mount/support/mounted.ts";
import { denoRunCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";

const workerUrl = workerModule("tree_worker.ts");
const faultUrl = workerModule("fault_worker.ts");
const description = { kind: "memory" } as const;

/** Rejects when `promise` takes longer. */
async function within<T>(timeoutMs: number, promise: Promise<T>): Promise<T> {
  const start = performance.now();
  const result = await promise;
  const elapsed = performance.now() - start;
  assert.ok(elapsed <= timeoutMs, `took ${elapsed} ms instead of ${timeoutMs} ms`);
  return result;
}

Deno.test("MountedFileSystem.unmount() ends an idle mount fast and settles `closed`", async () => {
  await withMount({ workerUrl, description }, async ({ mount, path, sh }) => {
    await sh("cat hello.txt");
    await within(500, mount.unmount());
    await mount.closed;
    assert.equal(isMounted(path), false);
    // A second call finds nothing to do.
    await mount.unmount();
  });
});

Deno.test("MountedFileSystem.closed settles after an unmount from outside", async () => {
  await withMount({ workerUrl, description }, async ({ mount, path, sh }) => {
    await sh(`cd / && umount ${path}`);
    await within(1000, mount.closed);
    assert.equal(isMounted(path), false);
  });
});

Deno.test("MountedFileSystem.unmount() refuses when files are in use, if told so", async () => {
  await withMount({ workerUrl, description }, async ({ mount, path, sh }) => {
    const holder = new RunningCommand(["sleep", "60"], { cwd: path });
    await sh("cat hello.txt");
    await assert.rejects(mount.unmount({ whenBusy: "refuse" }), (error) => {
      assert.ok(error instanceof StateError);
      assert.equal(error.code, "busy");
      return true;
    });
    assert.equal(await sh("cat hello.txt"), "hello\n");
    holder.signalGroup("SIGKILL");
    await holder.ended;
    await mount.unmount({ whenBusy: "refuse" });
    assert.equal(isMounted(path), false);
  });
});

Deno.test("MountedFileSystem.unmount() serves open files for a while, then gives up", async () => {
  await withMount({ workerUrl, description }, async ({ mount, path, sh }) => {
    const holder = new RunningCommand(["sh", "-c", "exec 3< large; echo open; sleep 60"], {
      cwd: path,
    });
    await waitUntil(() => holder.stdout.includes("open"), 5000, () => holder.stderr);
    // Ends the connection where the kernel's control files are mounted, else throws.
    const ending = within(END_TIMEOUT_MS + 2000, mount.unmount().catch((error) => error));
    assert.equal(isMounted(path), false);
    assert.equal(await sh(`cd / && head -c 3 /proc/${holder.pid}/fd/3 | wc -c`), "3\n");
    const outcome = await ending;
    assert.ok(outcome === undefined || (outcome as StateError).code === "timeout");
    holder.signalGroup("SIGKILL");
    await holder.ended;
    await within(2000, mount.closed);
  });
});

Deno.test("mountFileSystem() removes a dead mount that a killed program left", async () => {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-dead-" });
  try {
    const script = new URL("./support/serve.ts", import.meta.url).pathname;
    const server = new RunningCommand(
      denoRunCommand(["--allow-ffi", "--allow-read", "--allow-run", "--allow-env"], script, [path]),
    );
    await waitUntil(() => server.stdout.includes("mounted"), 20_000, () => server.stderr);
    server.signalGroup("SIGKILL");
    await server.ended;
    assert.equal(await probeMountPoint(path), "dead");
    const mount = await mountFileSystem({
      mountPoint: path,
      fsname: "repaired",
      allowOther: false,
      description,
      workerUrl,
    });
    assert.equal(mount.repaired, true);
    assert.equal(await probeMountPoint(path), "alive");
    await mount.unmount();
    assert.equal(isMounted(path), false);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("mountFileSystem() ends on SIGTERM with exit code 0", async () => {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-term-" });
  try {
    const script = new URL("./support/serve.ts", import.meta.url).pathname;
    const server = new RunningCommand(
      denoRunCommand(["--allow-ffi", "--allow-read", "--allow-run", "--allow-env"], script, [path]),
    );
    await waitUntil(() => server.stdout.includes("mounted"), 20_000, () => server.stderr);
    server.signalGroup("SIGTERM");
    const { code, stderr } = await within(3000, server.ended);
    assert.equal(code, 0, stderr);
    assert.equal(isMounted(path), false);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("mountFileSystem() refuses mount points that cannot be used", async () => {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-point-" });
  try {
    await Deno.writeTextFile(`${path}/file`, "");
    const attempt = (mountPoint: string) =>
      mountFileSystem({ mountPoint, fsname: "x", allowOther: false, description, workerUrl });
    await assert.rejects(attempt(`${path}/missing`), UsageError);
    await assert.rejects(attempt(`${path}/file`), /not a directory/);
    await assert.rejects(attempt(path), /not empty/);
  } finally {
    await Deno.remove(path, { recursive: true });
  }
});

Deno.test("prepareMountPoint() refuses a directory that is mounted already", async () => {
  await withMount({ workerUrl, description }, async ({ path }) => {
    await assert.rejects(prepareMountPoint(path), (error) => {
      assert.ok(error instanceof StateError);
      assert.equal(error.code, "busy");
      return true;
    });
  });
});

Deno.test("unmountPath() says when nothing is mounted", async () => {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-none-" });
  try {
    assert.throws(() => unmountPath(path), (error) => {
      assert.ok(error instanceof StateError);
      assert.equal(error.code, "not-mounted");
      return true;
    });
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("mountFileSystem() leaves nothing behind when its first worker fails to open", async () => {
  const path = await Deno.makeTempDir({ prefix: "pbkfs-start-" });
  try {
    await assert.rejects(
      mountFileSystem({
        mountPoint: path,
        fsname: "x",
        allowOther: false,
        workers: 2,
        description: "fails to open",
        workerUrl: faultUrl,
      }),
      /no such backup/,
    );
    assert.equal(isMounted(path), false);
  } finally {
    await Deno.remove(path);
  }
});

Deno.test("a worker that cannot start later is told of, and the mount goes on without it", async () => {
  const parts = { workerUrl: faultUrl, workers: 2, description: "second fails to open" };
  await withMount(parts, async ({ mount, path, failures }) => {
    assert.equal(failures.length, 1);
    assert.match(failures[0]!, /^FUSE worker 1 has not started, .*no such backup/);
    assert.equal(isMounted(path), true);
    await mount.unmount();
    await mount.closed;
    assert.equal(isMounted(path), false);
  });
});

Deno.test("MountedFileSystem.unmount() ends a mount whose other workers are still to be started", async () => {
  for (const afterMs of [0, 20, 60]) {
    const path = await Deno.makeTempDir({ prefix: "pbkfs-early-" });
    try {
      const failures: string[] = [];
      const mount = await mountFileSystem({
        mountPoint: path,
        fsname: "x",
        allowOther: false,
        workers: 4,
        description,
        workerUrl,
        onFailure: (message) => failures.push(message),
      });
      await new Promise((resolve) => setTimeout(resolve, afterMs));
      await mount.unmount();
      await mount.closed;
      await mount.complete;
      assert.equal(isMounted(path), false);
      assert.deepEqual(failures, []);
    } finally {
      await Deno.remove(path);
    }
  }
});

for (const fastPath of [true, false]) {
  const label = fastPath ? "fast path" : "callbacks";

  Deno.test(`an exception in a handler is one error answer, and service goes on (${label})`, async () => {
    await withMount({ workerUrl: faultUrl, fastPath }, async (test) => {
      assert.match((await test.try("cat throws")).stderr, /Input\/output error/);
      assert.match((await test.try("cat damaged")).stderr, /Input\/output error/);
      assert.match((await test.try("cat full")).stderr, /No space left on device/);
      assert.equal(await test.sh("cat hello.txt"), "hello\n");
      assert.equal(test.failures.length, 3);
      assert.match(test.failures[0]!, /lookup of node 1: a bug in the file system: EIO/);
      assert.match(test.failures[1]!, /base\/1\/2.*8192.*EIO/);
      assert.equal((await countedOperations(test.mount))["lookup"]?.errors, 3);
    });
  });

  Deno.test(`killing clients in the middle of requests harms nobody (${label})`, async () => {
    await withMount({ workerUrl: faultUrl, fastPath, workers: 1 }, async ({ sh, failures }) => {
      for (let i = 0; i < 3; i++) {
        await sh("cat slow & pid=$!; sleep 0.1; kill -9 $pid; wait $pid 2>/dev/null || true");
        await sh("cat large > /dev/null & pid=$!; sleep 0.01; kill -9 $pid || true; wait || true");
        assert.equal(await sh("cat hello.txt"), "hello\n");
      }
      assert.deepEqual(failures, []);
    });
  });
}

Deno.test("a worker that fails ends the mount instead of letting programs hang", async () => {
  await withMount({ workerUrl: faultUrl, workers: 2 }, async (test) => {
    const client = test.try("cat crashes");
    await assert.rejects(within(2000, test.mount.closed), /FUSE worker 0 failed: simulated/);
    await within(2000, client);
    assert.equal(isMounted(test.path), false);
    // The worker gets out of its request after a while.
    await new Promise((resolve) => setTimeout(resolve, 4500));
  });
});
