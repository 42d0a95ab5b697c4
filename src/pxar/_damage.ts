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
