/**
 * Databases that are left out of a restore: their files are there and empty, so that a server
 * starts, and they can be dropped.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { DatabaseChoice, RestoreLayout } from "./layout.ts";

/** Databases of a source. */
export interface KnownDatabases {
  /** Of all that have files, but for the templates. */
  readonly oids: ReadonlySet<number>;
  /**
   * By name. Several databases may have had it, and one may have had several: nobody knows which
   * counts then.
   */
  readonly names: ReadonlyMap<string, readonly number[]>;
  /** For messages. */
  readonly label: string;
}

/** Databases that every cluster must have. */
export const TEMPLATES: readonly string[] = ["template0", "template1"];

/**
 * OIDs of the databases whose files are made empty.
 *
 * @throws {UsageError} for one that is not there, or that must not be left out
 */
export function databasesLeftOut(
  databases: KnownDatabases,
  choice: DatabaseChoice,
): ReadonlySet<number> {
  const chosen = new Set(choice.names.flatMap((name) => findDatabase(databases, choice, name)));
  return new Set([...databases.oids].filter((oid) => chosen.has(oid) !== choice.isIncluding));
}

/** Whether files of a restore are of one of these databases, by their paths below a root. */
export function emptied(leftOut: ReadonlySet<number>): RestoreLayout["isEmptied"] {
  return ({ kind }, path) => {
    if (leftOut.size === 0 || kind === "external") return false;
    const pattern = kind === "target" ? IN_DATA_DIRECTORY : IN_TABLESPACE;
    return leftOut.has(Number(pattern.exec(path)?.[1]));
  };
}

/** Tablespaces may lie in the data directory, too. */
const IN_DATA_DIRECTORY = /^(?:base|(?:pg_tblspc|\.pbkfs\/tblspc)\/\d+\/[^/]+)\/(\d+)\//u;
/** Below the directory of the version. */
const IN_TABLESPACE = /^[^/]+\/(\d+)\//u;

function findDatabase(
  { oids, names, label }: KnownDatabases,
  { isIncluding }: DatabaseChoice,
  name: string,
): number[] {
  const option = isIncluding ? "includeDb" : "excludeDb";
  if (TEMPLATES.includes(name)) {
    if (isIncluding) return [];
    throw new UsageError(`Cannot leave out "${name}": every cluster needs it`, { option });
  }
  const named = names.get(name) ?? [];
  const [oid] = named;
  if (oid === undefined && /^\d+$/u.test(name) && oids.has(Number(name))) return [Number(name)];
  const known = [...names].flatMap(([each, its]) => its.map((oid) => `${each} (${oid})`));
  const hint = `It has ${known.join(", ")}`;
  if (oid === undefined) {
    throw new UsageError(`Cannot find database "${name}" in ${label}`, { option, hint });
  }
  const others = [...names].filter(([each, its]) => each !== name && its.includes(oid));
  if (named.length === 1 && others.length === 0) return [oid];
  throw new UsageError(
    `Cannot tell which database of ${label} is "${name}": names have changed`,
    { option, hint: `Give its OID. ${hint}` },
  );
}
