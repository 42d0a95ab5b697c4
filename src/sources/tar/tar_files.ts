/**
 * The files of a tar archive: one, or the set that `pg_basebackup -Ft` writes.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { EXTRAS_NAME, TABLESPACE_LINKS_NAME, TABLESPACES_NAME } from "#src/pgprobackup/extras.ts";
import type { TarPart } from "#src/tar/tar_tree.ts";

/** A file, and where what is in it comes to lie. */
export interface TarFilePlace extends Pick<TarPart, "directory" | "link"> {
  readonly path: string;
}

const BASE = /^base\.tar(?:\.gz|\.zst)?$/u;
const WAL = /^pg_wal\.tar(?:\.gz|\.zst)?$/u;
const TABLESPACE = /^(\d{1,10})\.tar(?:\.gz|\.zst)?$/u;

/** The `base.tar` of the set in a directory; undefined where there is none. */
export function baseTarIn(directory: string): string | undefined {
  const names = hostFiles.entries(directory).filter(({ kind }) => kind === "file");
  const name = names.map((entry) => entry.name).sort().find((each) => BASE.test(each));
  return name && `${directory}/${name}`;
}

/**
 * The files that belong to an archive. Beside a `base.tar` these are `pg_wal.tar`, and the archives
 * of tablespaces, which are called by their numbers.
 *
 * @param path absolute, without links
 * @throws {OsError} when its directory cannot be listed
 */
export function tarFilesOf(path: string): TarFilePlace[] {
  const slash = path.lastIndexOf("/");
  const main = { path, directory: "" };
  if (!BASE.test(path.slice(slash + 1))) return [main];
  const directory = path.slice(0, slash);
  const others = hostFiles.entries(directory === "" ? "/" : directory)
    .filter(({ kind }) => kind === "file").map(({ name }) => name).sort()
    .flatMap((name): TarFilePlace[] => {
      const [, oid] = TABLESPACE.exec(name) ?? [];
      if (oid !== undefined) {
        return [{ path: `${directory}/${name}`, ...placeOfTablespace(oid) }];
      }
      return WAL.test(name) ? [{ path: `${directory}/${name}`, directory: "pg_wal" }] : [];
    });
  return [main, ...others];
}

/** Servers want links: what those lead to has the name that it has in a chain of pg_probackup. */
function placeOfTablespace(oid: string): Pick<TarPart, "directory" | "link"> {
  const directory = `${EXTRAS_NAME}/${TABLESPACES_NAME}/${oid}`;
  return {
    directory,
    link: { path: `${TABLESPACE_LINKS_NAME}/${oid}`, target: `../${directory}` },
  };
}
