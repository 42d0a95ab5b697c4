/**
 * Small text files that only their owner may read, shared with other programs for the same servers.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import {
  directoryOf,
  readWholeFile,
  replaceFile,
  temporaryPathFor,
} from "#src/io/files/whole_file.ts";
import * as host from "#ffi/libc/calls.ts";

const SIZE_MAX = 1 << 20;
const FILE_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The text; empty when there is no such file. @throws {OsError | LimitError} */
export function readPrivateFile(path: string): string {
  try {
    return new TextDecoder().decode(readWholeFile(path, SIZE_MAX));
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return "";
    throw error;
  }
}

/**
 * Replaces the text; the file is there whole at any moment. Its directory is made, and the one
 * above that.
 *
 * @throws {OsError}
 */
export function replacePrivateFile(path: string, text: string): void {
  const directory = directoryOf(path).replace(/\/$/u, "");
  const parent = directoryOf(directory).replace(/(?<=.)\/$/u, "");
  for (const each of [parent, directory]) {
    const made = host.mkdir(each, DIRECTORY_MODE);
    if (made !== -Errno.EEXIST) host.unwrap(made, "make directory", each);
  }
  replaceFile(path, temporaryPathFor(path), new TextEncoder().encode(text), {
    mode: FILE_MODE,
    isModeExact: true,
    isDurable: false,
  });
}
