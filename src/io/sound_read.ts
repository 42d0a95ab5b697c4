/**
 * Reading up to damage in one place, which the rest of what is read does not depend on.
 *
 * @module
 */

import { IntegrityError, StateError } from "#src/errors.ts";

/** Whether a piece of what is read is damaged or missing: a chunk of a snapshot. */
export function isDamage(error: unknown): error is IntegrityError | StateError {
  return error instanceof IntegrityError ||
    error instanceof StateError && error.code === "not-found";
}

/**
 * Reads less than `size` bytes where later ones are damaged. @throws what the first attempt threw
 * when the first byte is
 */
export function readSound(read: (size: number) => number, size: number): number {
  let failure: unknown;
  for (let left = size;; left = Math.floor(left / 2)) {
    try {
      return read(left);
    } catch (error) {
      // The first one tells what was found, and may have made a backup rename the chunk.
      failure ??= error;
      if (left <= 1 || !isDamage(error)) throw failure;
    }
  }
}
