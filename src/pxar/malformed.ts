/**
 * Which errors say that one entry of an archive is malformed, so that the others can be read.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";

/** Whether an entry, or a table, is not as the format wants it. */
export function isMalformed(error: unknown): error is FormatError | LimitError {
  // Without the payload stream no file can be read: that is nothing of one entry.
  return error instanceof LimitError ||
    error instanceof FormatError && error.code !== "missing-payload";
}
