/**
 * Directories in the order of their names.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { DirectoryEntry, DirectoryNode } from "./node.ts";
import { compareNames } from "./paths.ts";

/**
 * The entries of a directory that can be read, in ascending byte order of their names.
 *
 * @param onDamage hears once why there may be more; unless given, that is thrown
 */
export function sortedEntries(
  directory: DirectoryNode,
  onDamage: (damage: Error) => void = rethrow,
): readonly DirectoryEntry[] {
  const entries: DirectoryEntry[] = [];
  try {
    for (const entry of directory.entries(onDamage)) entries.push(entry);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    onDamage(error);
  }
  return entries.sort((a, b) => compareNames(a.name, b.name));
}

function rethrow(damage: Error): never {
  throw damage;
}
