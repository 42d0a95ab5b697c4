/**
 * Places that a user maps to others: tablespaces, external directories.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/** A place that there is: known by either. */
export interface KnownPlace {
  readonly oid?: string | undefined;
  /** Its path where it came from. */
  readonly place?: string | undefined;
}

/**
 * Refuses a mapping of places that there are not.
 *
 * @param owner what has the places: `the backup`
 * @param what one of them: `tablespace`
 * @param option by which they are mapped
 * @throws {UsageError} when one is mapped that is not known
 */
export function requireKnownPlaces(
  mapping: ReadonlyMap<string, string>,
  known: readonly KnownPlace[],
  { owner, what, option }: {
    readonly owner: string;
    readonly what: string;
    readonly option: string;
  },
): void {
  for (const name of mapping.keys()) {
    if (known.some(({ oid, place }) => name === oid || name === place)) continue;
    const names = known.map(({ oid, place }) => place ?? oid).join(", ");
    throw new UsageError(`Cannot map "${name}": ${owner} has no such ${what}`, {
      option,
      hint: names === "" ? "It has none" : `It has ${names}`,
    });
  }
}
