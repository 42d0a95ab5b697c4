/**
 * libc on paths that may not answer: the call waits in a thread of the runtime, and this one goes
 * on.
 *
 * @module
 */

import { encodeCString, PATH_MAX } from "./c_string.ts";
import { libcWith } from "./library.ts";
import { At } from "./directories.ts";
import { close, open } from "./files.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  openat: { parameters: ["i32", "buffer", "i32", "u32"], result: "i32", nonblocking: true },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/**
 * Whether a path can be opened. A call that is not answered stays behind in its thread, which ends
 * with the process.
 *
 * @returns 0 or a negative errno; -ETIMEDOUT after `timeoutMs`
 */
export async function probeOpen(path: string, flags: number, timeoutMs: number): Promise<number> {
  const buffer = encodeCString(path, new Uint8Array(PATH_MAX));
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const { promise: timeout, resolve } = Promise.withResolvers<"timeout">();
  const timer = setTimeout(() => resolve("timeout"), timeoutMs);
  const result = await Promise.race([libc().openat(At.FDCWD, buffer, flags, 0), timeout]);
  clearTimeout(timer);
  if (result === "timeout") return -Errno.ETIMEDOUT;
  // The reason of a failure is known to the other thread only; what was refused at once is so
  // again.
  const fd = result < 0 ? open(path, flags) : result;
  if (fd >= 0) close(fd);
  return Math.min(fd, 0);
}
