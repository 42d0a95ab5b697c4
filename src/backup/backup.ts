/**
 * Makes a snapshot of directories, images and files.
 *
 * @module
 */

import { pxarIndexName, splitIndexNames } from "#src/pbs/format/archive_name.ts";
import { CLIENT_LOG_NAME, ENCRYPTED_KEY_NAME } from "#src/pbs/format/manifest.ts";
import type { SnapshotSummary, SnapshotWriter } from "#src/pbs/ports.ts";
import { type BuildOptions, type BuildReport, planArchive } from "#src/pxar/mod.ts";
import { archiveStem, type BackupSpec, checkBackupSpecs } from "./backup_spec.ts";
import { readBlobSource } from "./blob_source.ts";
import { checkDirectory, DirectoryBackup } from "./directory_backup.ts";
import { ImageSource } from "./image_source.ts";
import type { ReuseStatistics } from "./reuse_statistics.ts";

/** How archives of directories are made (specification of the datastore, section 14). */
export type ChangeDetectionMode = "legacy" | "data" | "metadata";

/** Chunk size of archives and images unless another one is given. */
export const CHUNK_SIZE_DEFAULT: number = 4 << 20;

/** How a backup is made. */
export interface BackupOptions {
  /** Default: `legacy`. */
  readonly mode?: ChangeDetectionMode;
  /** Average chunk size of archives and chunk size of images, in bytes: a power of two. Default: {@link CHUNK_SIZE_DEFAULT}. */
  readonly chunkSize?: number;
  /** What goes into the archives of directories, and who hears of it. */
  readonly build?: BuildOptions;
  /** Content of `rsa-encrypted.key.blob`: the key, encrypted with a master key. */
  readonly encryptedKey?: Uint8Array<ArrayBuffer>;
  /** Gives the client's log, when everything else is stored. */
  readonly log?: () => Uint8Array<ArrayBuffer>;
  /** Files that wait, open, for the decision whether they are read; metadata mode only. */
  readonly heldFilesMax?: number;
  /** Called before every archive. */
  readonly onArchive?: (archive: PlannedArchive) => void;
  /** Called with how far an image is. */
  readonly onImage?: (doneBytes: number, allBytes: number) => void;
  /** Called when the previous snapshot cannot be used to find what has changed: all files are read then. */
  readonly onPreviousUnusable?: (archive: BackupSpec, error: Error) => void;
}

/** An archive that is about to be made. */
export interface PlannedArchive {
  readonly spec: BackupSpec;
  /** Files of the snapshot that it gives, in the order of the manifest. */
  readonly files: readonly string[];
}

/** What became of an archive. */
export interface ArchiveReport extends PlannedArchive {
  /** Bytes of its streams, or of the plain content of a blob; for a plan those of the files. */
  readonly size: number;
  /** Bytes of the chunks that the store did not have, and what they take there. */
  readonly newBytes: number;
  readonly newStoredBytes: number;
  /** What a directory's archive was made of. */
  readonly build: BuildReport | undefined;
  /** What was reused, in metadata mode with a usable previous snapshot. */
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
 * Makes the archives, in the order of `specs`, and finishes the snapshot; after an exception it is given up.
 *
 * @throws {UsageError} when a source is of the wrong type or empty, or a name is there twice
 * @throws {OsError} when something cannot be read or stored
 *
 * @example
 * ```ts ignore
 * const writer = datastore.startSnapshot({ group });
 * const report = backup(writer, [parseBackupSpec("root.pxar:/srv"), parseBackupSpec("vm.conf:/etc/vm.conf")], {
 *   mode: "metadata",
 * });
 * ```
 */
export function backup(
  writer: SnapshotWriter,
  specs: readonly BackupSpec[],
  options: BackupOptions = {},
): BackupReport {
  try {
    checkBackupSpecs(specs);
    specs.forEach(checkSource);
    const directories = new DirectoryBackup(writer, options);
    const archives = specs.map((spec) => {
      const planned = { spec, files: filesOf(spec, options) };
      options.onArchive?.(planned);
      return { ...planned, ...addArchive(writer, directories, spec, options) };
    });
    directories.finish();
    const { encryptedKey, log } = options;
    if (encryptedKey !== undefined) {
      writer.addBlob(ENCRYPTED_KEY_NAME, encryptedKey, { compress: false, encrypt: false });
    }
    if (log !== undefined) writer.addBlob(CLIENT_LOG_NAME, log());
    return reportOf(archives, writer.finish());
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/**
 * Goes through the sources like {@link backup}, but reads no contents and writes nothing.
 *
 * @throws what {@link backup} throws of the sources
 */
export function planBackup(
  specs: readonly BackupSpec[],
  options: BackupOptions = {},
): BackupReport {
  checkBackupSpecs(specs);
  specs.forEach(checkSource);
  const archives = specs.map((spec): ArchiveReport => {
    const planned = { spec, files: filesOf(spec, options) };
    options.onArchive?.(planned);
    const build = spec.kind === "pxar" ? planArchive(spec.path, options.build) : undefined;
    const size = build?.contentBytes ?? sizeOf(spec);
    return { ...planned, size, newBytes: 0, newStoredBytes: 0, build, reuse: undefined };
  });
  return reportOf(archives, undefined);
}

function reportOf(
  archives: readonly ArchiveReport[],
  snapshot: SnapshotSummary | undefined,
): BackupReport {
  return { archives, snapshot, isPartial: archives.some(({ build }) => build?.isPartial === true) };
}

function filesOf({ kind, name }: BackupSpec, options: BackupOptions): string[] {
  if (kind === "image") return [`${name}.fidx`];
  if (kind === "blob") return [`${name}.blob`];
  if ((options.mode ?? "legacy") === "legacy") return [pxarIndexName(archiveStem(name))];
  const { metadata, payload } = splitIndexNames(archiveStem(name));
  return [payload, metadata];
}

/** Everything that can be wrong with a source is better found before something is written. */
function checkSource(spec: BackupSpec): void {
  if (spec.kind === "pxar") checkDirectory(spec.path);
  else sizeOf(spec);
}

function sizeOf({ kind, path }: BackupSpec): number {
  if (kind === "blob") return readBlobSource(path).length;
  using image = ImageSource.open(path);
  return image.size;
}

type Outcome = Omit<ArchiveReport, keyof PlannedArchive>;

function addArchive(
  writer: SnapshotWriter,
  directories: DirectoryBackup,
  spec: BackupSpec,
  options: BackupOptions,
): Outcome {
  switch (spec.kind) {
    case "pxar":
      return directories.add(spec);
    case "image":
      return addImage(writer, spec, options);
    case "blob": {
      const content = readBlobSource(spec.path);
      writer.addBlob(`${spec.name}.blob`, content);
      const { length } = content;
      return {
        size: length,
        newBytes: length,
        newStoredBytes: length,
        build: undefined,
        reuse: undefined,
      };
    }
  }
}

function addImage(writer: SnapshotWriter, spec: BackupSpec, options: BackupOptions): Outcome {
  using image = ImageSource.open(spec.path);
  const { size } = image;
  const chunkSize = options.chunkSize ?? CHUNK_SIZE_DEFAULT;
  const stream = writer.openFixed(`${spec.name}.fidx`, size, chunkSize);
  image.writeTo(stream, (position) => options.onImage?.(position, size));
  const { newBytes, newStoredBytes } = stream.finish();
  return { size, newBytes, newStoredBytes, build: undefined, reuse: undefined };
}
