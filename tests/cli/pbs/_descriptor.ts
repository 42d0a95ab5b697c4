/**
 * Descriptors as the program gets them from its parent.
 *
 * @module
 */

import { close, dup, open, OpenFlag, unwrap } from "#ffi/libc/calls.ts";

/** Opens a file for reading. The descriptor is one that exec(2) leaves open. */
export function openFile(path: string): number {
  const fd = unwrap(open(path, OpenFlag.RDONLY), "open", path);
  const copy = unwrap(dup(fd), "dup", path);
  close(fd);
  return copy;
}

/** Closes it again. */
export function closeFile(fd: number): void {
  close(fd);
}
