/**
 * Which directories of a source a restore makes, and where.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { isWithin } from "#src/io/absolute_path.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import type { PgproSource } from "#src/sources/pgpro/pgpro_source.ts";
import type { Source } from "#src/sources/source.ts";
import type { DirectoryNode, SymlinkNode, Tree } from "#src/tree/node.ts";
import { controlFileOf, readText } from "../data_directory_files.ts";
import type { ArchiveDirectory } from "../wal/archive_directory.ts";
import { findNeededWal, type NeededWal } from "../wal/needed_wal.ts";
import type { RecoverableBackup } from "./recovery.ts";

/** A directory of the source with all that is in it, and where it goes. */
export interface RestoreRoot {
  readonly node: DirectoryNode;
  /** Absolute. */
  readonly path: string;
  /**
   * The target itself, a tablespace, in whose directory other clusters may have theirs, or one that
   * belongs to somebody else altogether.
   */
  readonly kind: "target" | "tablespace" | "external";
}

/** What of a source goes where. */
export interface RestoreLayout {
  /** The target first. */
  readonly roots: readonly RestoreRoot[];
  /** A name in the target's root that is not restored. */
  readonly leftOutName: string | undefined;
  /** Where a link of the source leads when it is restored. */
  linkTarget(link: SymlinkNode, name: string): string;
  /** Whether a file, by its path below the root, is made empty: it is of a database left out. */
  isEmptied(root: RestoreRoot, path: string): boolean;
  /** Bytes of all files, where lists tell them. */
  readonly totalBytes?: number | undefined;
  /** OIDs of the databases left out. */
  readonly leftOutDatabases: readonly number[];
  /** What is to be recovered; undefined where the source is no data directory. */
  readonly backup: RecoverableBackup | undefined;
  /** The WAL that this takes; undefined where nothing tells. */
  readonly wal: RestoredWal | undefined;
}

/** WAL that a server needs on what is restored. */
export interface RestoredWal {
  readonly needed: NeededWal;
  /** Of the catalog; undefined where there is none. */
  readonly archive: ArchiveDirectory | undefined;
}

/** Where things go that a backup has beside its data directory, and what is left out. */
export interface LayoutRequest {
  /** Absolute. */
  readonly targetPath: string;
  /** By where they were. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** By where they were. */
  readonly externalDirectories: ReadonlyMap<string, string>;
  /** Those are left out. */
  readonly skipsExternalDirectories: boolean;
  /** Names of databases whose files are, or are not, restored. Default: all. */
  readonly databases?: DatabaseChoice | undefined;
}

/** Databases by their names. */
export interface DatabaseChoice {
  /** Whether these are the ones that are restored, or the ones that are not. */
  readonly isIncluding: boolean;
  /** As in `pg_database`. */
  readonly names: readonly string[];
}

const VERSION_SIZE_MAX = 64;

/** The layout of a source that is one directory tree. @throws {UsageError} */
export function treeLayout(tree: Tree, label: string, request: LayoutRequest): RestoreLayout {
  const { tablespaces, externalDirectories, databases } = request;
  if (tablespaces.size > 0) throw onlyOfBackups("tablespaceMapping");
  if (externalDirectories.size > 0) throw onlyOfBackups("externalMapping");
  if (databases !== undefined) {
    throw onlyOfBackups(databases.isIncluding ? "includeDb" : "excludeDb");
  }
  const version = tree.root.lookup("PG_VERSION");
  return {
    roots: [{ node: tree.root, path: request.targetPath, kind: "target" }],
    leftOutName: undefined,
    linkTarget: (link) => link.target,
    isEmptied: () => false,
    leftOutDatabases: [],
    backup: version?.kind !== "file" || controlFileOf(tree.root) === undefined ? undefined : {
      label,
      serverVersion: readText(version, VERSION_SIZE_MAX).trim(),
      needsArchive: false,
      archiveCommand: undefined,
    },
    wal: restoredWal(findNeededWal(tree.root, undefined), undefined),
  };
}

/** The two as one, where it is known what is needed. */
export function restoredWal(
  needed: NeededWal | undefined,
  archive: ArchiveDirectory | undefined,
): RestoredWal | undefined {
  return needed && { needed, archive };
}

/** Whether a source is a backup of pg_probackup. */
export function isPgpro(source: Source): source is PgproSource {
  return source.description.kind === "pgpro";
}

/**
 * Refuses places inside one another, or inside of where the backup lies.
 *
 * @param sourcePath of the backup on this machine
 * @throws {UsageError} `overlap`
 */
export function checkPlaces(roots: readonly RestoreRoot[], sourcePath: string | undefined): void {
  const places = roots.map(({ path }) => realPathOfMissing(path));
  const others = sourcePath === undefined ? [] : [realPathOfMissing(sourcePath)];
  for (const [index, place] of places.entries()) {
    for (const other of [...places.slice(index + 1), ...others]) {
      if (!isWithin(place, other) && !isWithin(other, place)) continue;
      throw new UsageError(`Cannot restore: "${place}" and "${other}" overlap`, {
        code: "overlap",
        hint: "Give places of which none is inside another, and none where the backup lies",
      });
    }
  }
}

function onlyOfBackups(option: string): UsageError {
  return new UsageError(
    `Cannot use \`${option}\`: only backups of pg_probackup say what there is`,
    {
      option,
    },
  );
}
