/**
 * Makes a snapshot of directories, images and files.
 *
 * @module
 */

import { Errno, OsError, StateError } from "#src/errors.ts";
import { pxarIndexName, splitIndexNames } from "#src/pbs/format/archive_name.ts";
import { CLIENT_LOG_NAME, ENCRYPTED_KEY_NAME } from "#src/pbs/format/manifest.ts";
import type { SnapshotSummary, SnapshotWriter } from "#src/pbs/ports.ts";
import { archiveStem, type BackupSpec, checkBackupSpecs } from "./backup_spec.ts";
import {
  type ArchiveReport,
  type BackupOptions,
  type BackupReport,
  CHUNK_SIZE_DEFAULT,
  type PlannedArchive,
} from "./backup_options.ts";
import { readBlobSource } from "./blob_source.ts";
import { checkDirectory, DirectoryBackup, planDirectory } from "./directory_backup.ts";
import { ImageSource, UnreadableRanges } from "./image_source.ts";
import { ImageStream, isImageStream, isStandardInput } from "./image_stream.ts";

/**
 * Makes the archives, in the order of `specs`, and finishes the snapshot; after an exception it is
 * given up.
 *
 * @throws {UsageError} when a source is of the wrong type or empty, or a name is there twice
 * @throws {OsError} when something cannot be read or stored
 *
 * @example
 * ```ts ignore
 * const writer = datastore.startSnapshot({ group });
 * const specs = ["root.pxar:/srv", "vm.conf:/etc/vm.conf"].map((text) => parseBackupSpec(text));
 * const report = backup(writer, specs, { mode: "metadata" });
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
    const build = spec.kind === "pxar" ? planDirectory(spec, options.build) : undefined;
    const size = build?.contentBytes ?? sizeOf(spec);
    return { ...planned, size, newBytes: 0, newStoredBytes: 0, build, reuse: undefined };
  });
  return reportOf(archives, undefined);
}

function reportOf(
  archives: readonly ArchiveReport[],
  snapshot: SnapshotSummary | undefined,
): BackupReport {
  return {
    archives,
    snapshot,
    isPartial: archives.some((archive) =>
      archive.build?.isPartial === true || (archive.unreadableCount ?? 0) > 0
    ),
  };
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
  if (spec.kind === "pxar") checkDirectory(spec);
  else sizeOf(spec);
}

function sizeOf({ kind, path, spool }: BackupSpec): number {
  if (spool !== undefined) return spool.position;
  if (kind === "blob") {
    const content = unlessUnreadable(() => readBlobSource(path));
    return content instanceof OsError ? 0 : content.length;
  }
  if (isImageStream(path)) {
    if (isStandardInput(path)) ImageStream.open(path)[Symbol.dispose]();
    return 0;
  }
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
      const content = unlessUnreadable(() => readBlobSource(spec.path));
      if (content instanceof OsError) return lostBlob(spec, content, options);
      const stored = writer.addBlob(`${spec.name}.blob`, content);
      const { length } = content;
      return {
        size: length,
        newBytes: length,
        newStoredBytes: stored,
        build: undefined,
        reuse: undefined,
      };
    }
  }
}

function addImage(writer: SnapshotWriter, spec: BackupSpec, options: BackupOptions): Outcome {
  const chunkSize = options.chunkSize ?? CHUNK_SIZE_DEFAULT;
  if (spec.spool === undefined && isImageStream(spec.path)) {
    using image = ImageStream.open(spec.path);
    const stream = writer.openFixed(`${spec.name}.fidx`, undefined, chunkSize);
    image.writeTo(stream, (position) => options.onImage?.(position, undefined));
    const { size, newBytes, newStoredBytes } = stream.finish();
    return { size, newBytes, newStoredBytes, build: undefined, reuse: undefined };
  }
  using image = spec.spool === undefined
    ? ImageSource.open(spec.path)
    : ImageSource.openSpool(spec.spool, spec.path);
  const { size } = image;
  const stream = writer.openFixed(`${spec.name}.fidx`, size, chunkSize);
  const unreadable = new UnreadableRanges((message) => tellUnreadable(spec, message, options));
  image.writeTo(stream, (position) => options.onImage?.(position, size), (offset, length) => {
    unreadable.add(offset, length);
    // Where nothing may be missing that is the end.
    if (options.build?.isStrict === true) unreadable.finish();
  });
  unreadable.finish();
  const { count: unreadableCount } = unreadable;
  const { newBytes, newStoredBytes } = stream.finish();
  return { size, newBytes, newStoredBytes, build: undefined, unreadableCount, reuse: undefined };
}

/** What `read` gives, or the error of a bad sector. */
function unlessUnreadable<Result>(read: () => Result): Result | OsError {
  try {
    return read();
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.EIO) return error;
    throw error;
  }
}

/** Half a configuration file is worse than none: it is left out. */
function lostBlob(spec: BackupSpec, error: OsError, options: BackupOptions): Outcome {
  tellUnreadable(spec, `${error.message}, left out`, options);
  const none = { size: 0, newBytes: 0, newStoredBytes: 0 };
  return { ...none, build: undefined, unreadableCount: 1, reuse: undefined };
}

/** @throws {StateError} `partial` when nothing may be missing */
function tellUnreadable(spec: BackupSpec, message: string, options: BackupOptions): void {
  options.onUnreadable?.(spec, message);
  if (options.build?.isStrict !== true) return;
  throw new StateError(
    "partial",
    `Stopped at "${spec.path}", which would be missing or incomplete`,
  );
}
