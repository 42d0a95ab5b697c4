/**
 * Descriptors as the program gets them from its parent.
 *
 * @module
 */

import { close, open, OpenFlag, unwrap } from "#src/io/host.ts";

/** Opens a file for reading. */
export function openFile(path: string): number {
  return unwrap(open(path, OpenFlag.RDONLY), "open", path);
}

/** Closes it again. */
export function closeFile(fd: number): void {
  close(fd);
}
