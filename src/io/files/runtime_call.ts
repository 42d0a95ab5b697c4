/**
 * Calls of the runtime, which have errors of their own.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";

/** Runs a call of the runtime and makes its system errors those of this program. */
export function callRuntime<Result>(call: string, path: string, run: () => Result): Result {
  try {
    return run();
  } catch (error) {
    if (error instanceof Deno.errors.BadResource) {
      throw new OsError(Errno.EBADF, call, path, { cause: error });
    }
    const code = error instanceof Error && "code" in error ? String(error.code) : "";
    // Mistakes of the caller have codes like `ERR_OUT_OF_RANGE`, missing permissions have none.
    if (!/^E[A-Z0-9]+$/.test(code)) throw error;
    throw new OsError((Errno as Record<string, number>)[code] ?? Errno.EIO, call, path, {
      cause: error,
    });
  }
}
