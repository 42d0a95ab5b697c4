/**
 * Files of a backup that a restore reads and does not bring back: where tablespaces were, and what
 * databases are called.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";
import { hostFiles, isMissing } from "#src/io/files/files.ts";
import type { Backup } from "./catalog.ts";

const MAP_SIZE_MAX = 16 << 20;
const OID_MAX = 0xffff_ffff;

/**
 * Absolute paths of tablespaces, as backed up, by OID; empty where the backup does not say.
 *
 * @throws {FormatError} for a path that is not absolute
 */
export function readTablespaceMap(
  backup: Pick<Backup, "directory" | "id">,
): Map<string, string> {
  const path = `${backup.directory}/database/tablespace_map`;
  const places = new Map<string, string>();
  for (const line of readLines(path) ?? []) {
    // The first blank separates; paths may have more of them.
    const match = /^(\d+) (\/[^\0]*)$/u.exec(line);
    if (match === null) {
      throw new FormatError(`Cannot read tablespace "${line}"`, { path, backupId: backup.id });
    }
    places.set(match[1]!, match[2]!);
  }
  return places;
}

/**
 * OIDs of databases by name, but for the templates; undefined where the backup does not say.
 *
 * @throws {FormatError} for a malformed line
 */
export function readDatabaseMap(backup: Backup): Map<string, number> | undefined {
  const path = `${backup.directory}/database/database_map`;
  const lines = readLines(path);
  if (lines === undefined) return undefined;
  const databases = new Map<string, number>();
  for (const line of lines) {
    // Nothing is escaped: a name may have quotes.
    const match = /^\{"dbOid":"(\d{1,10})", ?"datname":"(.*)"\}$/u.exec(line);
    const oid = Number(match?.[1]);
    if (match === null || oid > OID_MAX) {
      throw new FormatError(`Cannot read database "${line}"`, { path, backupId: backup.id });
    }
    databases.set(match[2]!, oid);
  }
  return databases;
}

/** Lines with something in them; undefined when there is no such file. */
function readLines(path: string): string[] | undefined {
  try {
    const text = decodeFileName(hostFiles.read(path, MAP_SIZE_MAX));
    return text.split("\n").filter((line) => line !== "");
  } catch (error) {
    if (isMissing(error)) return undefined;
    throw error;
  }
}
