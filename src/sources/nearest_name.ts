/**
 * What somebody probably meant who mistyped a name.
 *
 * @module
 */

import { firstNames } from "./choice.ts";

/** Longer names are compared by their beginning. */
const LENGTH_MAX = 256;

/** A hint for a name that is not among those there are. */
export function hintOfNames(wanted: string, names: readonly string[]): string {
  const nearest = nearestName(wanted, names);
  const meant = nearest === undefined ? "" : `Did you mean "${nearest}"? `;
  return names.length === 0 ? "There is none" : `${meant}There is: ${firstNames(names)}`;
}

/**
 * The name that takes the fewest changes of single characters, without regard to case; undefined
 * where that would be more than a third of them.
 */
export function nearestName(wanted: string, names: readonly string[]): string | undefined {
  const goal = wanted.slice(0, LENGTH_MAX).toLowerCase();
  let nearest: string | undefined;
  let least = Math.max(1, Math.floor(goal.length / 3)) + 1;
  for (const name of names) {
    const distance = editDistance(goal, name.slice(0, LENGTH_MAX).toLowerCase(), least);
    if (distance < least) [nearest, least] = [name, distance];
  }
  return nearest;
}

/** Characters to be inserted, removed, replaced or swapped with the next; `limit` for more. */
function editDistance(one: string, other: string, limit: number): number {
  if (Math.abs(one.length - other.length) >= limit) return limit;
  let before: number[] = [];
  let above = Array.from({ length: other.length + 1 }, (_, index) => index);
  for (let row = 1; row <= one.length; row++) {
    const current = [row];
    for (let column = 1; column <= other.length; column++) {
      const isSame = one[row - 1] === other[column - 1];
      const isSwapped = row > 1 && column > 1 && one[row - 1] === other[column - 2] &&
        one[row - 2] === other[column - 1];
      current[column] = Math.min(
        above[column]! + 1,
        current[column - 1]! + 1,
        above[column - 1]! + (isSame ? 0 : 1),
        isSwapped ? before[column - 2]! + 1 : Infinity,
      );
    }
    [before, above] = [above, current];
  }
  return Math.min(above[other.length]!, limit);
}
