/**
 * Damage in one place, which the rest of an archive does not depend on.
 *
 * @module
 */

import { IntegrityError, StateError } from "#src/errors.ts";

/** Whether a piece of the archive is damaged or missing: a chunk of a snapshot. */
export function isDamage(error: unknown): error is IntegrityError | StateError {
  return error instanceof IntegrityError ||
    error instanceof StateError && error.code === "not-found";
}

/**
 * Reads less than `size` bytes where later ones are damaged. @throws what reading the first byte
 * throws
 */
export function readSound(read: (size: number) => number, size: number): number {
  for (let left = size;; left = Math.floor(left / 2)) {
    try {
      return read(left);
    } catch (error) {
      if (left <= 1 || !isDamage(error)) throw error;
    }
  }
}
