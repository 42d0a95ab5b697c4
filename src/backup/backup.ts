/**
 * Makes a snapshot of directories, images and files.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { SnapshotSummary, SnapshotWriter } from "#src/pbs/ports.ts";
import type { BuildOptions, BuildReport } from "#src/pxar/builder/mod.ts";
import type { BackupSpec } from "./backup_spec.ts";
import type { ReuseStatistics } from "./reuse_statistics.ts";

/** How archives of directories are made (specification of the datastore, section 14). */
export type ChangeDetectionMode = "legacy" | "data" | "metadata";

/** How a backup is made. */
export interface BackupOptions {
  /** Default: `legacy`. */
  readonly mode?: ChangeDetectionMode;
  /** Average chunk size of `.pxar` archives and chunk size of images, in bytes: a power of two. Default: 4 MiB. */
  readonly chunkSize?: number;
  /** What goes into the archives of directories, and who hears of it. */
  readonly build?: BuildOptions;
  /** Content of `rsa-encrypted.key.blob`: the key, encrypted with a master key. */
  readonly encryptedKey?: Uint8Array<ArrayBuffer>;
  /** Gives the client's log, when everything else is stored. */
  readonly log?: () => Uint8Array<ArrayBuffer>;
  /** Called before every archive. */
  readonly onArchive?: (archive: PlannedArchive) => void;
}

/** An archive that is about to be made. */
export interface PlannedArchive {
  readonly spec: BackupSpec;
  /** Files of the snapshot that it gives, in the order of the manifest. */
  readonly files: readonly string[];
}

/** What became of an archive. */
export interface ArchiveReport extends PlannedArchive {
  /** Bytes of its streams, or of the plain content of a blob. */
  readonly size: number;
  /** Bytes of the chunks that the store did not have. */
  readonly newBytes: number;
  /** What the directory's archive was made of. */
  readonly build: BuildReport | undefined;
  /** What was reused in metadata mode. */
  readonly reuse: ReuseStatistics | undefined;
}

/** What a backup did. */
export interface BackupReport {
  readonly archives: readonly ArchiveReport[];
  /** Undefined for a plan. */
  readonly snapshot: SnapshotSummary | undefined;
  /** Whether entries are missing. */
  readonly isPartial: boolean;
}

/**
 * Makes the archives and finishes the snapshot; after an exception it is given up.
 *
 * @throws {UsageError} when a source is of the wrong type or empty, or a name is there twice
 * @throws {OsError} when something cannot be read or stored
 */
export function backup(
  writer: SnapshotWriter,
  specs: readonly BackupSpec[],
  options: BackupOptions = {},
): BackupReport {
  throw new StateError("not-found", `${writer.id} ${specs} ${options}`);
}

/** Goes through the sources like {@link backup}, but reads no contents and writes nothing. */
export function planBackup(
  specs: readonly BackupSpec[],
  options: BackupOptions = {},
): BackupReport {
  throw new StateError("not-found", `${specs} ${options}`);
}
