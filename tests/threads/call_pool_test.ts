import assert from "node:assert/strict";
import { type Failure, ProtocolError, StateError } from "#src/errors.ts";
import { CallPool } from "#src/threads/call_pool.ts";
import { threadsFrom } from "#src/threads/thread.ts";
import type { CALLS } from "./_call_worker.ts";

function makePool(options: { count?: number; queueMax?: number } = {}) {
  const pool = new CallPool<typeof CALLS, string>({
    spawn: threadsFrom(new URL("./_call_worker.ts", import.meta.url).href),
    role: "call",
    count: options.count ?? 2,
    queueMax: options.queueMax ?? 100,
  });
  return Object.assign(pool, { [Symbol.asyncDispose]: () => pool.close() });
}

/** A call waits until the first cell is set; the second counts how many do. */
function gate() {
  const cells = new Int32Array(new SharedArrayBuffer(8));
  return {
    cells,
    open: () => Atomics.store(cells, 0, 1),
    async reached(count: number) {
      while (Atomics.load(cells, 1) < count) {
        await new Promise((resolve) => setTimeout(resolve, 2));
      }
    },
  };
}

async function thrown<Kind extends Failure>(
  promise: Promise<unknown>,
  // deno-lint-ignore no-explicit-any -- any failure
  kind: new (...args: any[]) => Kind,
  message = /./,
): Promise<Kind> {
  try {
    await promise;
  } catch (error) {
    if (!(error instanceof kind)) throw error;
    assert.match(error.message, message);
    return error;
  }
  throw new Error("nothing was thrown");
}

Deno.test("a call gets its target and arguments, and gives what the method gives", async () => {
  await using pool = makePool();
  assert.deepEqual(await pool.call("t", "join", ["a", 7]), "t:a:7");
});

Deno.test("what a method throws is thrown by the call, with its class and details", async () => {
  await using pool = makePool();
  const error = await thrown(pool.call("t", "refuse", ["locked"]), StateError);
  assert.deepEqual([error.code, error.hint, error.isTemporary], ["locked", "do not ask", true]);
});

Deno.test("buffers are moved both ways", async () => {
  await using pool = makePool();
  const bytes = Uint8Array.of(1, 2, 3);
  const promise = pool.call("t", "reverse", [bytes], { transfer: [bytes.buffer] });
  assert.deepEqual(bytes.length, 0);
  assert.deepEqual(await promise, Uint8Array.of(3, 2, 1));
});

Deno.test("calls of a lane find what earlier ones left, while others go elsewhere", async () => {
  await using pool = makePool();
  const one = pool.takeLane();
  const other = pool.takeLane();
  assert.notEqual(one, other);
  for (let count = 1; count <= 3; count++) {
    assert.deepEqual(await pool.call("t", "leave", ["x"], { lane: one }), count);
  }
  assert.deepEqual(await pool.call("t", "leave", ["x"], { lane: other }), 1);
});

Deno.test("calls run in parallel, as many as there are threads; the others wait", async () => {
  await using pool = makePool({ queueMax: 1 });
  const { cells, open, reached } = gate();
  const calls = [1, 2, 3].map(() => pool.call("t", "wait", [cells]));
  await reached(2);
  assert.deepEqual(Atomics.load(cells, 1), 2);
  await thrown(pool.call("t", "join", ["a", 1]), ProtocolError, /1 calls wait/);
  open();
  assert.deepEqual(await Promise.all(calls), ["woken", "woken", "woken"]);
});

Deno.test("a thread that fails takes its calls along, and another takes its place", async () => {
  await using pool = makePool({ count: 1 });
  const lane = pool.takeLane();
  assert.deepEqual(await pool.call("t", "leave", ["x"], { lane }), 1);
  const dying = pool.call("t", "die", [], { lane });
  const behind = pool.call("t", "leave", ["x"], { lane });
  const unbound = pool.call("t", "join", ["a", 1]);
  const error = await thrown(dying, ProtocolError, /gone/);
  assert.deepEqual(error.isTemporary, true);
  await thrown(behind, ProtocolError);
  assert.deepEqual(await unbound, "t:a:1");
  assert.deepEqual(await pool.call("t", "leave", ["x"], { lane }), 1);
});

Deno.test("a call may have a thread of its own", async () => {
  await using pool = makePool({ count: 1, queueMax: 0 });
  const { cells, open, reached } = gate();
  const alone = pool.callAlone("t", "wait", [cells]);
  await reached(1);
  assert.deepEqual(await pool.call("t", "join", ["a", 1]), "t:a:1");
  open();
  assert.deepEqual(await alone, "woken");
});

Deno.test("a pool that is closed answers the calls that were made, and takes none", async () => {
  const pool = makePool({ count: 1 });
  const { cells, open, reached } = gate();
  const running = pool.call("t", "wait", [cells]);
  const waiting = pool.call("t", "join", ["a", 1]);
  await reached(1);
  const closing = pool.close();
  await thrown(pool.call("t", "join", ["b", 2]), StateError, /closed/);
  open();
  assert.deepEqual([await running, await waiting], ["woken", "t:a:1"]);
  await closing;
});
