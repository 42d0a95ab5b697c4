/**
 * Where a copy goes, by its name: as sources are named, of which it is going to be one.
 *
 *     home.pxar                                  an archive of one stream
 *     home.mpxar                                 a split one, with home.ppxar
 *     /store#[NAMESPACE/]TYPE/ID[/TIME][/ARCHIVE]   a snapshot of a datastore
 *     pbs://user@realm@host:port/store#TYPE/ID   the same of a server
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import type { Repository } from "#src/pbs/client/repository.ts";
import {
  type GroupId,
  isBackupType,
  parseBackupTime,
  parseGroup,
  parseNamespace,
} from "#src/pbs/format/snapshot_path.ts";
import { parseSourceName } from "#src/sources/name.ts";
import { repositoryAt, storeDirectory } from "#src/sources/pbs/store_place.ts";

/** A new archive in files. */
export interface ArchiveTarget {
  /** Tells it from a snapshot. */
  readonly kind: "archive";
  /** Absolute; its suffix says whether it is split. */
  readonly path: string;
}

/** A new snapshot. */
export interface SnapshotTarget {
  /** Tells it from an archive. */
  readonly kind: "snapshot";
  /** The datastore. */
  readonly repository: Repository;
  /** Whose next snapshot it is. */
  readonly group: GroupId;
  /** Unix seconds; undefined where the name has none. */
  readonly time: number | undefined;
  /** `root.pxar`; undefined where the name has none. */
  readonly archive: string | undefined;
}

/** Either. */
export type CopyTarget = ArchiveTarget | SnapshotTarget;

/** Of `dir:/store#…`, which names a datastore as PBS_REPOSITORY does. */
const DIRECTORY_PREFIX = "dir:";
const ARCHIVE_NAME = /^[A-Za-z0-9_-]+\.pxar$/u;
const ARCHIVE_FILE = /\.m?pxar$/u;
const EXPECTED =
  "Name a file NAME.pxar or NAME.mpxar, or a snapshot: STORE#[NAMESPACE/]TYPE/ID[/TIME][/ARCHIVE]";

/** Reads the name of a target, which need not be there. @throws {UsageError} when it is none */
export function parseCopyTarget(text: string): CopyTarget {
  const isRepository = text.startsWith(DIRECTORY_PREFIX) && text.includes("#");
  const { kind, place, item } = parseSourceName(
    isRepository ? text.slice(DIRECTORY_PREFIX.length) : text,
  );
  if (item !== undefined && (kind === undefined || kind === "pbs")) {
    const repository = kind === "pbs"
      ? repositoryAt(place)
      : { kind: "directory", path: storeDirectory(place) } as const;
    return { kind: "snapshot", repository, ...partOf(text, item) };
  }
  const isArchive = kind === "pxar" || kind === undefined && ARCHIVE_FILE.test(place);
  if (isArchive && item === undefined) return { kind: "archive", path: absolutePath(place) };
  throw new UsageError(`Cannot copy to "${text}"`, { option: "target", hint: EXPECTED });
}

function partOf(text: string, item: string): Omit<SnapshotTarget, "kind" | "repository"> {
  const refuse = (why: string): never => {
    throw new UsageError(`Cannot copy to "${text}": ${why}`, { option: "target", hint: EXPECTED });
  };
  const names = item.split("/");
  // A namespace can have the name of a type: what follows it tells.
  const depth = [names.length - 4, names.length - 3, names.length - 2]
    .find((position) => isBackupType(names[position] ?? "") && isRest(names.slice(position + 2)));
  if (depth === undefined) return refuse("it names no group, or more than an archive of it");
  const ns = parseNamespace(names.slice(0, depth).join("/"));
  const group = parseGroup(names.slice(depth, depth + 2).join("/"), ns);
  const rest = names.slice(depth + 2);
  const time = parseBackupTime(rest[0] ?? "");
  const archive = time === undefined ? rest[0] : rest[1];
  return { group, time, archive };
}

/** Whether names can stand behind a group: a time, an archive, or both. */
function isRest(names: readonly string[]): boolean {
  const rest = parseBackupTime(names[0] ?? "") === undefined ? names : names.slice(1);
  return rest.length === 0 || rest.length === 1 && ARCHIVE_NAME.test(rest[0]!);
}
