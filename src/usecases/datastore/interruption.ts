/**
 * Long runs that end in order when somebody presses Ctrl-C or the machine shuts down.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { latchSignals, SIGHUP, SIGINT, SIGTERM } from "#ffi/libc/calls.ts";

/** Asked all the time by a run whether it is to go on; an AbortSignal is one too. */
export interface StopSignal {
  /** @throws what ends the run */
  throwIfAborted(): void;
}

/**
 * Does something that asks its signal all the time. Needs FFI.
 *
 * @param consequence what becomes of a run that is interrupted, for the message
 * @throws {StateError} `interrupted` after SIGINT, SIGTERM or SIGHUP
 */
export function interruptible<Result>(
  consequence: string,
  use: (signal: StopSignal) => Result,
): Result {
  const latch = latchSignals([SIGINT, SIGTERM, SIGHUP]);
  // None of this program's own failures: a verification would take such a one for damage.
  const stop = new DOMException("The run was interrupted", "AbortError");
  try {
    return use({
      throwIfAborted() {
        if (latch.isRaised) throw stop;
      },
    });
  } catch (error) {
    if (error !== stop) throw error;
    throw new StateError("interrupted", `Interrupted: ${consequence}`);
  } finally {
    latch.release();
  }
}
