/**
 * Small files of our own in a diff directory: read without following links, replaced atomically and
 * durably.
 *
 * @module
 */

import { OsError, StateError } from "#src/errors.ts";
import { readWholeFile, replaceFile } from "#src/io/files/whole_file.ts";
import { Errno, getEffectiveUid } from "#ffi/libc/calls.ts";

/** Files of ours are far below this; a longer one is not ours. */
const SMALL_FILE_SIZE_MAX = 1 << 20;

/**
 * Reads a regular file of ours as text.
 *
 * @returns undefined when there is no such file
 * @throws {StateError} when the name is not a regular file (links are not followed)
 * @throws {LimitError} when it is longer than 1 MiB
 * @throws {OsError} when it cannot be read
 */
export function readSmallTextFile(path: string): string | undefined {
  try {
    return new TextDecoder().decode(readWholeFile(path, SMALL_FILE_SIZE_MAX, false));
  } catch (error) {
    if (!(error instanceof OsError)) throw error;
    if (error.errno === Errno.ENOENT) return undefined;
    if (error.errno !== Errno.ELOOP && error.errno !== Errno.EINVAL) throw error;
    throw new StateError("foreign-diff", `Cannot use "${path}": it is not a regular file`, {
      hint: "Give another diff directory",
      option: "diffPath",
      cause: error,
    });
  }
}

/**
 * Replaces `directory/name` by `text` so that after a crash there is the old or the new content,
 * whole. On return the new content is durable unless `durable` is false. For root the file gets the
 * `owner`.
 *
 * @throws {OsError}
 */
export function replaceTextFile(
  directory: string,
  name: string,
  text: string,
  options: {
    mode: number;
    durable: boolean;
    owner?: { readonly uid: number; readonly gid: number };
  },
): void {
  const path = `${directory}/${name}`;
  replaceFile(path, `${path}.new`, new TextEncoder().encode(text), {
    mode: options.mode,
    isDurable: options.durable,
    owner: getEffectiveUid() === 0 ? options.owner : undefined,
  });
}
