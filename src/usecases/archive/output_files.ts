/**
 * Archives that are written: to new files, which are complete or not there, or to standard output.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { Errno, OsError, UsageError } from "#src/errors.ts";
import type { FileSink, Sink } from "#src/io/streams.ts";
import { isSplitName, payloadPath, STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";

/** Version of an archive: one stream, or split. */
export type ArchiveFormat = "v1" | "v2";

/** Where an archive goes, as asked for. */
export interface OutputRequest {
  /** `-` is standard output. */
  readonly path: string;
  /** Undefined: as the names say. */
  readonly format: ArchiveFormat | undefined;
  /** Undefined: beside the archive, by its name. */
  readonly payloadPath: string | undefined;
  /** Files of these names are replaced. */
  readonly isReplacing: boolean;
  /** Nothing is written. */
  readonly isDryRun: boolean;
  /** Files get their names when they are on stable storage. Default: false. */
  readonly isDurable?: boolean;
}

/**
 * An archive that is being written. Ends with {@link OutputArchive.finish}; disposed of before,
 * nothing is left.
 */
export interface OutputArchive extends Disposable {
  readonly metadata: Sink;
  /** There for split archives. */
  readonly payload: Sink | undefined;
  /** Completes the files and gives them their names. */
  finish(): void;
}

/**
 * Path of the payload stream to write; undefined for one stream.
 *
 * @throws {UsageError} when format and names do not fit together
 */
function outputPayloadPath(request: OutputRequest): string | undefined {
  const { path, format } = request;
  if (format === "v1") {
    if (request.payloadPath === undefined && !isSplitName(path)) return undefined;
    throw new UsageError("Cannot write format v1 to two files", {
      option: "format",
      hint: "Leave out `payloadOutput`, and name the archive NAME.pxar",
    });
  }
  const payload = payloadPath(path, request.payloadPath);
  if (format === "v2" && payload === undefined) {
    throw new UsageError("Cannot write format v2 to one file", {
      option: "format",
      hint: "Name the archive NAME.mpxar, or give `payloadOutput` too",
    });
  }
  if (payload === path) {
    throw new UsageError(`Cannot write archive and payload to the same file "${path}"`, {
      option: "payloadOutput",
    });
  }
  return payload;
}

/**
 * Opens the files of an archive to be written.
 *
 * @throws {OsError} EEXIST when one is there already and may not be replaced
 * @throws {UsageError}
 */
export function createOutputArchive(request: OutputRequest): OutputArchive {
  const payload = outputPayloadPath(request);
  const files: FileSink[] = [];
  try {
    for (const path of [request.path, ...(payload === undefined ? [] : [payload])]) {
      files.push((request.isDryRun ? openNowhere : createOutput)(path, request));
    }
  } catch (error) {
    for (const file of files) file.abort();
    throw error;
  }
  let isFinished = false;
  return {
    metadata: files[0]!,
    payload: files[1],
    finish() {
      // The payload first: an archive that has its name is complete.
      for (const file of files.toReversed()) file.finish();
      isFinished = true;
    },
    [Symbol.dispose]() {
      if (!isFinished) { for (const file of files) file.abort(); }
    },
  };
}

/** How one file is written. */
type OutputFileOptions = Pick<OutputRequest, "isReplacing" | "isDurable">;

/**
 * Opens a file to be written; `-` is standard output.
 *
 * @throws {OsError} EEXIST when it is there already and may not be replaced
 */
export function createOutput(path: string, options: OutputFileOptions): FileSink {
  if (path !== STANDARD_STREAM) {
    const { isReplacing, isDurable } = options;
    if (isReplacing) checkPlace(path, options);
    return hostFiles.create(path, { isReplacing, isDurable });
  }
  const output = hostFiles.standardOutput();
  return {
    write: (bytes) => output.write(bytes),
    copyFrom: (fd, offset, size) => output.copyFrom?.(fd, offset, size) ?? 0,
    finish() {},
    abort() {},
  };
}

/** As {@link createOutput}, but nothing is written. */
export function openNowhere(path: string, options: OutputFileOptions): FileSink {
  if (path !== STANDARD_STREAM) checkPlace(path, options);
  return { write() {}, copyFrom: (_fd, _offset, size) => size, finish() {}, abort() {} };
}

/**
 * Only regular files are replaced: nobody wants an archive in place of `/dev/null`. @throws
 * {OsError} EEXIST
 */
function checkPlace(path: string, { isReplacing }: OutputFileOptions): void {
  const kind = hostFiles.status(path, false)?.kind;
  if (kind === undefined || (isReplacing && kind === "file")) return;
  const call = isReplacing ? "replace (not a regular file)" : "create";
  throw new OsError(Errno.EEXIST, call, path);
}
