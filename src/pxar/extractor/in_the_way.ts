/**
 * Names that are taken: what stands there, and which leave lets an entry have its name all the
 * same.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { FileType } from "#src/tree/node.ts";
import type { OverwritePolicy } from "./options.ts";

/** A leave of {@link OverwritePolicy}. */
export type OverwriteLeave = keyof OverwritePolicy;

const TYPE_NAMES: ReadonlyMap<number, string> = new Map([
  [FileType.FILE, "file"],
  [FileType.SYMLINK, "symbolic link"],
  [FileType.DIRECTORY, "directory"],
  [FileType.CHARACTER_DEVICE, "device"],
  [FileType.BLOCK_DEVICE, "device"],
  [FileType.FIFO, "FIFO"],
  [FileType.SOCKET, "socket"],
]);

/** Type of the entries that need a leave: what exists with that type needs no mention. */
const SAME_TYPE: Partial<Record<OverwriteLeave, number>> = {
  files: FileType.FILE,
  symlinks: FileType.SYMLINK,
  byDirectories: FileType.DIRECTORY,
};

/** What is there stays, and the entry is not restored. */
export class InTheWayError extends OsError {
  /** What is there: `symbolic link`. */
  readonly found: string;
  /** What would let the entry have the name; undefined where nothing does. */
  readonly leave: OverwriteLeave | undefined;

  /**
   * An EEXIST; the message names what is there when its type is another.
   *
   * @param coming the leave that entries of this type need
   * @param mode of what is there
   * @param isSame what is there is the device, FIFO or socket that comes
   */
  constructor(step: string, path: string, coming: OverwriteLeave, mode: number, isSame = false) {
    const type = mode & FileType.MASK;
    const found = TYPE_NAMES.get(type) ?? "object";
    const isPlain = isSame || SAME_TYPE[coming] === type;
    super(Errno.EEXIST, isPlain ? step : `${step} in place of the ${found}`, path);
    this.found = found;
    this.leave = leaveFor(coming, mode, isSame);
  }
}

/**
 * The leave by which an entry may have a name that is taken. Directories are only shared; a device,
 * FIFO or socket only stays, for one that is the same.
 *
 * @param coming the leave that entries of this type need to replace a file or link
 * @param mode of what is there
 * @returns undefined where nothing helps
 */
export function leaveFor(
  coming: OverwriteLeave,
  mode: number,
  isSame = false,
): OverwriteLeave | undefined {
  const type = mode & FileType.MASK;
  if (type === FileType.FILE || type === FileType.SYMLINK) return coming;
  if (type === FileType.DIRECTORY) return coming === "byDirectories" ? "directories" : undefined;
  return isSame ? coming : undefined;
}
