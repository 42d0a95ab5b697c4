/**
 * What tells which files of a new archive are as they were in an old one.
 *
 * @module
 */

import type { NewFile } from "#src/pxar/new_entry.ts";

/** Tells which files of a new archive are as they were in an old one. */
export interface UnchangedFiles {
  /** The walk goes into a directory. */
  enter(name: string): void;
  /** The walk leaves a directory. */
  leave(): void;
  /**
   * Offset in the old payload stream of the PAYLOAD header of a file in the present directory; -1
   * when it is not as it was. Names are asked for in ascending order, not all of them.
   */
  find(name: string, file: NewFile): number;
}
