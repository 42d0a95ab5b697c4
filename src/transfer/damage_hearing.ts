/**
 * Going on behind what cannot be read.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { DirectoryEntry, DirectoryNode } from "#src/tree/node.ts";
import { sortedEntries } from "#src/tree/sorted_entries.ts";

/** Reads what can be read, and tells of the rest. */
export interface DamageHearing {
  /** The entries of the directory at `path` that can be read, in ascending byte order of names. */
  entriesOf(path: string, directory: DirectoryNode): readonly DirectoryEntry[];
  /** What `read` gives; undefined where that cannot be read. */
  readable<Result>(path: string, read: () => Result): Result | undefined;
}

/**
 * Reads on behind damage. @param onDamage hears of each path that cannot be read; unless given,
 * that is thrown
 */
export function hearingDamage(
  onDamage: ((path: string, damage: Error) => void) | undefined,
): DamageHearing {
  if (onDamage === undefined) {
    return {
      entriesOf: (_path, directory) => sortedEntries(directory),
      readable: (_path, read) => read(),
    };
  }
  return {
    entriesOf: (path, directory) => sortedEntries(directory, (damage) => onDamage(path, damage)),
    readable(path, read) {
      try {
        return read();
      } catch (error) {
        if (!(error instanceof Failure)) throw error;
        onDamage(path, error);
        return undefined;
      }
    },
  };
}
