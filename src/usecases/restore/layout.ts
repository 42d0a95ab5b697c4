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
import type { DirectoryNode, Node } from "#src/tree/node.ts";
import type { ArchiveDirectory } from "../wal/archive_directory.ts";
import type { NeededWal } from "../wal/needed_wal.ts";
import type { RecoverableBackup, SettingsFile } from "./recovery.ts";

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
  /** Whether something, by its path in the target, is not restored, or goes elsewhere. */
  isLeftOut(path: string): boolean;
  /**
   * Where what is restored as a link leads, by its path in the target; undefined for what is
   * restored as what it is. Links of other directories stay what they are.
   */
  linkTarget(path: string, node: Node): string | undefined;
  /** Whether a file, by its path below the root, is made empty: it is of a database left out. */
  isEmptied(root: RestoreRoot, path: string): boolean;
  /** Bytes of all files, where lists tell them. */
  readonly totalBytes?: number | undefined;
  /** OIDs of the databases left out. */
  readonly leftOutDatabases: readonly number[];
  /** Files in the root of the target that have another text than in the source. */
  readonly files: readonly SettingsFile[];
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
  /** By where they were, or by OID. */
  readonly tablespaces: ReadonlyMap<string, string>;
  /** By where they were. */
  readonly externalDirectories: ReadonlyMap<string, string>;
  /** Those are left out. */
  readonly skipsExternalDirectories: boolean;
  /** Names or OIDs of databases whose files are, or are not, restored. Default: all. */
  readonly databases?: DatabaseChoice | undefined;
}

/** Databases by their names or OIDs. */
export interface DatabaseChoice {
  /** Whether these are the ones that are restored, or the ones that are not. */
  readonly isIncluding: boolean;
  /** As in `pg_database`. */
  readonly names: readonly string[];
}

/** The two as one, where it is known what is needed. */
export function restoredWal(
  needed: NeededWal | undefined,
  archive: ArchiveDirectory | undefined,
): RestoredWal | undefined {
  return needed && { needed, archive };
}

/** For `linkTarget()`: links lead where they lead in the source. */
export function linkAsItIs(node: Node): string | undefined {
  return node.kind === "symlink" ? node.target : undefined;
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
