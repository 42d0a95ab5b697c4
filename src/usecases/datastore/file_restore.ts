/**
 * Archives, images and files of a snapshot, restored as files.
 *
 * @module
 */

import { openImage } from "#src/backup/archive_access.ts";
import { type OnRestored, restoreStream } from "#src/backup/restore.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import * as host from "#ffi/libc/calls.ts";
import { defaultFileName } from "#src/pbs/format/archive_name.ts";
import { ENCRYPTED_KEY_NAME } from "#src/pbs/format/manifest.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type { EntryContent } from "#src/pxar/extractor/extract_target.ts";
import { ContentWriter } from "#src/pxar/extractor/content_writer.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import type { FileSink } from "#src/io/streams.ts";
import { createOutput, openNowhere } from "../archive/output_files.ts";
import { openSpecial } from "../archive/special_file.ts";
import { interruptible } from "./interruption.ts";

/** What is restored as one file, and where to. */
export interface StreamRestore {
  /** Name of the image, blob, catalog or archive in one stream. */
  readonly name: string;
  /** `-` is standard output. */
  readonly target: string;
  /** A file of that name is replaced. */
  readonly isReplacing: boolean;
  readonly isDryRun: boolean;
}

const FILE_MODE = 0o600;

/** Whether what a name means is restored as a directory. */
export function isDirectoryArchive(name: string): boolean {
  return /\.[mp]?pxar\.didx$/u.test(defaultFileName(name));
}

/**
 * Whether a name means the snapshot's key, locked by a master key: who restores it has no other.
 */
export function isLockedKey(name: string): boolean {
  return defaultFileName(name) === ENCRYPTED_KEY_NAME;
}

/**
 * Restores a file. Zeros of an image become holes where that can be. What could not be restored
 * whole is not left behind.
 *
 * @returns its length in bytes
 * @throws {OsError} EEXIST when there is a file already
 * @throws {StateError} `not-found`; `interrupted` after SIGINT, SIGTERM or SIGHUP
 */
export function restoreAsFile(
  snapshot: SnapshotReader,
  request: StreamRestore,
  onRestored: OnRestored,
): number {
  const special = request.target === STANDARD_STREAM
    ? undefined
    : openSpecial({ ...request, path: request.target, size: imageSize(snapshot, request.name) });
  if (special !== undefined) return restoreInto(special, snapshot, request, onRestored);
  if (isSparse(request)) return restoreSparse(snapshot, request, onRestored);
  const { target, isReplacing, isDryRun } = request;
  const file = (isDryRun ? openNowhere : createOutput)(target, { isReplacing });
  return restoreInto(file, snapshot, request, onRestored);
}

function isSparse({ name, target, isReplacing, isDryRun }: StreamRestore): boolean {
  const isImage = defaultFileName(name).endsWith(".fidx");
  return isImage && target !== STANDARD_STREAM && !isReplacing && !isDryRun && mayUseFfi;
}

function restoreSparse(
  snapshot: SnapshotReader,
  { name, target }: StreamRestore,
  onRestored: OnRestored,
): number {
  const source = openImage(snapshot, name);
  const { WRONLY, CREAT, EXCL, CLOEXEC } = host.OpenFlag;
  const fd = host.unwrap(
    host.open(target, WRONLY | CREAT | EXCL | CLOEXEC, FILE_MODE),
    "create",
    target,
  );
  try {
    interruptible("the file was removed again", (signal) => {
      const content = contentOf(source, (bytes, size) => {
        signal.throwIfAborted();
        onRestored(bytes, size);
      });
      new ContentWriter().write(fd, content, target);
    });
  } catch (error) {
    host.unlink(target);
    throw error;
  } finally {
    host.close(fd);
    source.close();
  }
  return source.size;
}

function contentOf(source: ByteSource, onRestored: OnRestored): EntryContent {
  let position = 0;
  return {
    size: source.size,
    read(target, start, size) {
      const count = source.readAt(target, start, size, position);
      position += count;
      onRestored(position, source.size);
      return count;
    },
  };
}

/** Length of an image; undefined for anything else. */
function imageSize(snapshot: SnapshotReader, name: string): number | undefined {
  if (!defaultFileName(name).endsWith(".fidx")) return undefined;
  const source = openImage(snapshot, name);
  source.close();
  return source.size;
}

function restoreInto(
  file: FileSink,
  snapshot: SnapshotReader,
  { name }: Pick<StreamRestore, "name">,
  onRestored: OnRestored,
): number {
  try {
    const bytes = restoreStream(snapshot, name, file, onRestored);
    file.finish();
    return bytes;
  } catch (error) {
    file.abort();
    throw error;
  }
}
