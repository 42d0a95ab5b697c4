/**
 * Where one backup of a chain keeps its files, and how its external directories correspond to the
 * target's.
 *
 * @module
 */

import type { ChainMember } from "./chain.ts";

/** The backup's own list of external directories does not have the number. */
export const EXTERNAL_UNKNOWN = -1;

/** The target has no such external directory. */
export const EXTERNAL_ABSENT = -2;

/**
 * Numbers of external directories are each backup's own; the original path is what they have in
 * common.
 */
export class LayerRoots {
  /** By the backup's number; element 0 is the data directory. */
  readonly #targetNumbers: readonly number[];

  constructor(backup: ChainMember, target: ChainMember) {
    const targetPaths = target.control.externalDirectories;
    this.#targetNumbers = [
      0,
      ...backup.control.externalDirectories.map((path) => {
        const index = targetPaths.indexOf(path);
        return index < 0 ? EXTERNAL_ABSENT : index + 1;
      }),
    ];
  }

  /**
   * The target's number for a number of this backup, {@link EXTERNAL_UNKNOWN} or
   * {@link EXTERNAL_ABSENT}.
   */
  targetNumber(number: number): number {
    return this.#targetNumbers[number] ?? EXTERNAL_UNKNOWN;
  }
}

/**
 * The directory in which a backup stores its data directory (0) or the external directory of that
 * number.
 */
export function storedRoot({ directory }: ChainMember, externalNumber: number): string {
  return externalNumber === 0
    ? `${directory}/database`
    : `${directory}/external_directories/externaldir${externalNumber}`;
}

/** Path of a backup's page headers. */
export function headerMapPath({ directory }: ChainMember): string {
  return `${directory}/page_header_map`;
}
