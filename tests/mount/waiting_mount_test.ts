/**
 * Mounts whose source does not answer: only what needs it waits.
 *
 * @module
 */

import assert from "node:assert/strict";
import { StateError } from "#src/errors.ts";
import type { MountFileSystemOptions } from "#src/mount/mount.ts";
import { type TestMount, withMount, workerModule } from "#tests/mount/support/mounted.ts";
import { StallingSource } from "#tests/mount/support/stalling_source.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";

const WORKERS = 2;
const READERS = 100;
const TIMEOUT_MS = 30_000;
/** For what takes milliseconds on a machine that has nothing else to do. */
const PROMPT_SECONDS = 20;

const ENDED_BY_SIGINT = 130;

/** A mount with two workers over a source that is told to hang, and goes on at the end. */
async function withStallingMount(
  body: (test: TestMount, source: StallingSource) => Promise<void>,
  options: Partial<MountFileSystemOptions> = {},
): Promise<void> {
  const source = new StallingSource();
  const common = {
    workerUrl: workerModule("stalling_worker.ts"),
    workers: WORKERS,
    description: source.memory,
  };
  await withMount({ ...common, ...options }, async (test) => {
    // Names are in the kernel's cache from now on.
    await test.sh("ls -l . && cat hello.txt");
    source.hang();
    try {
      await body(test, source);
    } finally {
      source.goOn();
    }
  });
}

function readers({ path }: TestMount, count: number): RunningCommand[] {
  return Array.from(
    { length: count },
    () => new RunningCommand(["cat", "hello.txt"], { cwd: path }),
  );
}

async function waitForWaiting({ mount }: TestMount, count: number): Promise<void> {
  await waitUntil(
    () => Promise.resolve(mount.waitReport().requests === count),
    TIMEOUT_MS,
    () => JSON.stringify(mount.waitReport()),
  );
}

async function outputs(commands: readonly RunningCommand[]): Promise<Set<string>> {
  const results = await Promise.all(commands.map((command) => command.wait(TIMEOUT_MS)));
  return new Set(results.map(({ code, stdout }) => `${code} ${stdout}`));
}

Deno.test("what does not need a source that hangs is answered while 100 reads wait", async () => {
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, READERS);
    await waitForWaiting(test, READERS);
    const report = test.mount.waitReport();
    assert.deepEqual(report.operations, { read: READERS });
    assert.equal(report.threads, WORKERS);
    // Statistics of the file system, names that the kernel does not know yet, names that are
    // missing, lists.
    await test.sh(`timeout ${PROMPT_SECONDS} stat -f .`);
    await test.sh(`timeout ${PROMPT_SECONDS} stat sub/deeper/leaf`);
    assert.equal((await test.try(`timeout ${PROMPT_SECONDS} stat sub/no-such-name`)).code, 1);
    await test.sh(`timeout ${PROMPT_SECONDS} ls -l sub | grep -c two`);
    source.goOn();
    assert.deepEqual(await outputs(waiting), new Set(["0 hello\n"]));
    await waitForWaiting(test, 0);
    assert.deepEqual(test.failures, []);
  });
});

Deno.test("an interrupt ends a request that waits for its source, or for a thread", async () => {
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, 10);
    await waitForWaiting(test, waiting.length);
    // Two of them hold the threads.
    for (const command of waiting) command.signalGroup("SIGINT");
    for (const command of waiting) {
      assert.equal((await command.wait(TIMEOUT_MS)).code, ENDED_BY_SIGINT);
    }
    assert.equal(test.mount.waitReport().interrupted, waiting.length);
    // The threads still hang, but nobody waits.
    await waitUntil(
      () => Promise.resolve(test.mount.waitReport().threads === WORKERS),
      TIMEOUT_MS,
      () => JSON.stringify(test.mount.waitReport()),
    );
    assert.deepEqual(test.mount.waitReport().operations, {});
    // A look-up, which only the server can end: the kernel waits for its answer even when the
    // caller is killed.
    const lookup = new RunningCommand(["stat", "remote"], { cwd: test.path });
    await waitForWaiting(test, 1);
    lookup.signalGroup("SIGKILL");
    await lookup.wait(TIMEOUT_MS);
    source.goOn();
    assert.equal(await test.sh("cat hello.txt"), "hello\n");
    assert.deepEqual(test.failures, []);
  });
});

Deno.test("a request over its time fails with EIO, and the next one is served", async () => {
  const timeouts = new Map<string, number>();
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, 10);
    for (const command of waiting) {
      const { code, stderr } = await command.wait(TIMEOUT_MS);
      assert.equal(code, 1);
      assert.match(stderr, /Input\/output error/);
    }
    assert.deepEqual(timeouts, new Map([["read", waiting.length]]));
    assert.equal(test.mount.waitReport().timed_out, waiting.length);
    source.goOn();
    assert.equal(await test.sh("cat hello.txt"), "hello\n");
  }, {
    requestTimeoutMs: 1000,
    onTimeout: (operation, count) =>
      timeouts.set(operation, (timeouts.get(operation) ?? 0) + count),
  });
});

Deno.test("that all threads wait is told once, and that they do no more", async () => {
  const told: string[] = [];
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, 5);
    await waitUntil(() => Promise.resolve(told.length > 0), TIMEOUT_MS, () => told.join());
    source.goOn();
    await outputs(waiting);
    await waitUntil(() => Promise.resolve(told.length > 1), TIMEOUT_MS, () => told.join());
    assert.deepEqual(told, ["read", "over"]);
  }, {
    onWaiting: ({ operations }) => told.push(Object.keys(operations).join()),
    onWaitOver: () => told.push("over"),
  });
});

Deno.test("a mount with one worker has a free thread, too", async () => {
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, 3);
    await waitForWaiting(test, waiting.length);
    await test.sh(`timeout ${PROMPT_SECONDS} stat -f .`);
    source.goOn();
    assert.deepEqual(await outputs(waiting), new Set(["0 hello\n"]));
  }, { workers: 1 });
});

Deno.test("a mount ends while requests wait: they fail", { ignore: Deno.uid() !== 0 }, async () => {
  await withStallingMount(async (test, source) => {
    const waiting = readers(test, 10);
    await waitForWaiting(test, waiting.length);
    await assert.rejects(test.mount.unmount(), (error) => {
      assert.ok(error instanceof StateError);
      assert.equal(error.code, "timeout");
      return true;
    });
    for (const command of waiting) assert.equal((await command.wait(TIMEOUT_MS)).code, 1);
    // Only threads that still wait are left; the reserve has seen the end.
    source.goOn();
    await test.mount.closed;
  });
});

Deno.test("nothing waits any more when a source that answers was asked by many", async () => {
  const source = new StallingSource();
  const options = {
    workerUrl: workerModule("stalling_worker.ts"),
    workers: WORKERS,
    description: source.memory,
  };
  await withMount(options, async (test) => {
    const clients = readers(test, READERS);
    assert.deepEqual(await outputs(clients), new Set(["0 hello\n"]));
    assert.ok(source.askedCount >= READERS);
    assert.deepEqual(test.mount.waitReport(), {
      requests: 0,
      operations: {},
      longest_s: 0,
      threads: 0,
      files: [],
      interrupted: 0,
      timed_out: 0,
    });
  });
});
