/**
 * A data directory in a writable mount, made ready for a server that knows nothing of the one that
 * wrote it.
 *
 * @module
 */

import { FormatError, StateError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { isWithin } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { readWholeFile, removeFile, writeNewFile } from "#src/io/files/whole_file.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";

/** Files of the former server that would tell the new one what to do. */
const FORMER_FILES = ["postmaster.pid", "standby.signal", "recovery.signal"];
/** Is read whatever the command line says; a value that this host does not know is too much. */
const FORMER_SETTINGS = "postgresql.auto.conf";
const SETTINGS_ASIDE = "postgresql.auto.conf.backup";
const RECOVERY_SIGNAL = "recovery.signal";
const VERSION_FILE = "PG_VERSION";
const VERSION_SIZE_MAX = 64;
/** The server wants nobody else to enter, but members of its group may read. */
const FOREIGN_MODE = 0o027;
const OWN_MODE = 0o700;

/**
 * Major version of the server that a data directory belongs to: `17`.
 *
 * @throws {UsageError} when it is none
 * @throws {FormatError} @throws {OsError}
 */
export function readMajorVersion(path: string, source: string): string {
  const file = `${path}/${VERSION_FILE}`;
  let text: string;
  try {
    text = new TextDecoder().decode(readWholeFile(file, VERSION_SIZE_MAX)).trim();
  } catch (error) {
    if (!(error instanceof host.OsError) || error.errno !== host.Errno.ENOENT) throw error;
    throw new UsageError(`"${source}" is not a data directory of PostgreSQL: no ${VERSION_FILE}`, {
      hint: "Name the data directory inside of it",
      option: "dataDirectory",
    });
  }
  if (/^\d{2}$/u.test(text)) return text;
  throw new FormatError(`PostgreSQL "${text.slice(0, 16)}" is not supported`, {
    code: "unsupported",
    path: VERSION_FILE,
  });
}

/** Who owns a data directory. @throws {OsError} */
export function dataDirectoryOwner(path: string): Owner {
  const stat = new host.HostStat();
  host.unwrap(host.stat(`${path}/${VERSION_FILE}`, stat), "stat", path);
  return { uid: stat.uid, gid: stat.gid };
}

/**
 * Makes it ready.
 *
 * @param mountPath the mount that it is in, without links: nothing outside may be written
 * @param recovers whether the server is to recover from an archive
 * @param owner who is given new files; undefined: nobody
 * @throws {StateError} `outside` when a part of it is not in the mount
 * @throws {OsError}
 */
export function prepareDataDirectory(
  path: string,
  mountPath: string,
  recovers: boolean,
  owner: Owner | undefined,
): void {
  requireInside(path, mountPath);
  const stat = new host.HostStat();
  host.unwrap(host.stat(path, stat), "stat", path);
  if ((stat.mode & FOREIGN_MODE) !== 0) host.unwrap(host.chmod(path, OWN_MODE), "chmod", path);
  for (const name of FORMER_FILES) removeFile(`${path}/${name}`);
  moveIfThere(`${path}/${FORMER_SETTINGS}`, `${path}/${SETTINGS_ASIDE}`);
  if (!recovers) return;
  writeNewFile(`${path}/${RECOVERY_SIGNAL}`, new Uint8Array(0), {
    mode: 0o600,
    owner,
    isDurable: false,
  });
}

/** Puts back the settings of the backup, for whoever mounts the changes later. @throws {OsError} */
export function restoreSettings(path: string): void {
  moveIfThere(`${path}/${SETTINGS_ASIDE}`, `${path}/${FORMER_SETTINGS}`);
}

function moveIfThere(from: string, to: string): void {
  const result = host.rename(from, to);
  if (result !== -host.Errno.ENOENT) host.unwrap(result, "rename", from);
}

/**
 * A copy of a data directory has links to where WAL and tablespaces are on their own host; a server
 * that follows them changes what is no copy.
 */
function requireInside(path: string, mountPath: string): void {
  const tablespaces = hostFiles.entries(`${path}/pg_tblspc`)
    .map(({ name }) => `pg_tblspc/${name}`);
  for (const name of ["global", "base", "pg_wal", "pg_xact", ...tablespaces]) {
    const place = realPathOf(`${path}/${name}`);
    if (place !== undefined && isWithin(place, mountPath)) continue;
    const link = host.readlink(`${path}/${name}`);
    const target = typeof link === "number" ? "nowhere" : `"${new TextDecoder().decode(link)}"`;
    throw new StateError("not-found", `"${name}" leads to ${target}, which is not in the backup`, {
      hint: "A server that starts on it would change what lies there",
    });
  }
}

function realPathOf(path: string): string | undefined {
  try {
    return hostFiles.realPath(path);
  } catch (error) {
    if (error instanceof host.OsError) return undefined;
    throw error;
  }
}
