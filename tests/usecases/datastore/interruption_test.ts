import assert from "node:assert/strict";
import { Failure, StateError } from "#src/errors.ts";
import { interruptible } from "#src/usecases/datastore/interruption.ts";

const PAUSE_MS = 10;
const PAUSES_MAX = 200;

function pause(): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, PAUSE_MS);
}

Deno.test("interruptible() ends a run after SIGINT, at the point where it asks", () => {
  let steps = 0;
  assert.throws(
    () =>
      interruptible("nothing was done", (signal) => {
        signal.throwIfAborted();
        Deno.kill(Deno.pid, "SIGINT");
        for (; steps < PAUSES_MAX; steps++) {
          pause();
          signal.throwIfAborted();
        }
      }),
    (error) => {
      assert.ok(error instanceof StateError);
      assert.equal(error.code, "interrupted");
      assert.match(error.message, /nothing was done/);
      return true;
    },
  );
  assert.ok(steps < PAUSES_MAX);
});

Deno.test("interruptible() stops a run by an error that nobody takes for damage", () => {
  assert.throws(() =>
    interruptible("nothing was done", (signal) => {
      Deno.kill(Deno.pid, "SIGTERM");
      for (let step = 0; step < PAUSES_MAX; step++) {
        pause();
        try {
          signal.throwIfAborted();
        } catch (error) {
          assert.ok(!(error instanceof Failure));
          throw error;
        }
      }
    }), { code: "interrupted" });
});

Deno.test("interruptible() gives back what a run gives", () => {
  assert.equal(interruptible("", () => 7), 7);
});
