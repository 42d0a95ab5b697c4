/**
 * Where one backup of a chain keeps its files, and how its external directories correspond to the target's.
 *
 * @module
 */

import type { ChainMember } from "./chain.ts";
import type { StoredRoot } from "./nodes.ts";

/** The backup's own list of external directories does not have the number. */
export const EXTERNAL_UNKNOWN = -1;

/** The target has no such external directory. */
export const EXTERNAL_ABSENT = -2;

/** Numbers of external directories are each backup's own; the original path is what they have in common. */
export class LayerRoots {
  readonly #backup: ChainMember;
  /** By the backup's number; element 0 is the data directory. */
  readonly #targetNumbers: readonly number[];
  readonly #roots: StoredRoot[] = [];

  constructor(backup: ChainMember, target: ChainMember) {
    this.#backup = backup;
    const targetPaths = target.control.externalDirectories;
    this.#targetNumbers = [
      0,
      ...backup.control.externalDirectories.map((path) => {
        const index = targetPaths.indexOf(path);
        return index < 0 ? EXTERNAL_ABSENT : index + 1;
      }),
    ];
  }

  /** The target's number for a number of this backup, {@link EXTERNAL_UNKNOWN} or {@link EXTERNAL_ABSENT}. */
  targetNumber(number: number): number {
    return this.#targetNumbers[number] ?? EXTERNAL_UNKNOWN;
  }

  /** The directory of that number; one object each. */
  root(number: number): StoredRoot {
    const { directory, id } = this.#backup;
    return this.#roots[number] ??= {
      directory: number === 0
        ? `${directory}/database`
        : `${directory}/external_directories/externaldir${number}`,
      mapPath: `${directory}/page_header_map`,
      backupId: id,
    };
  }
}
