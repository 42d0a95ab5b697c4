/**
 * Archives that are written: to new files, which are complete or not there, or to standard output.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { OsError, UsageError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { NativeFileSink, openNativeOutput } from "#src/io/files/native_sink.ts";
import { openPlainOutput, PlainFileSink } from "#src/io/files/plain_sink.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";
import * as host from "#ffi/libc/calls.ts";
import type { Sink } from "#src/io/streams.ts";
import { isSplitName, payloadPath, STANDARD_STREAM } from "./archive_files.ts";

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

/** A file that is being written. */
export interface OutputFile {
  readonly sink: Sink;
  /** Completes the file and gives it its name. */
  finish(): void;
  /** Leaves nothing behind. */
  abort(): void;
}

const FILE_MODE = 0o640;

/**
 * Path of the payload stream to write; undefined for one stream.
 *
 * @throws {UsageError} when format and names do not fit together
 */
export function outputPayloadPath(request: OutputRequest): string | undefined {
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
export function openOutputArchive(request: OutputRequest): OutputArchive {
  const payload = outputPayloadPath(request);
  const files: OutputFile[] = [];
  try {
    for (const path of [request.path, ...(payload === undefined ? [] : [payload])]) {
      const { isReplacing, isDryRun } = request;
      files.push((isDryRun ? openNowhere : openOutput)(path, isReplacing));
    }
  } catch (error) {
    for (const file of files) file.abort();
    throw error;
  }
  let isFinished = false;
  return {
    metadata: files[0]!.sink,
    payload: files[1]?.sink,
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

/**
 * Opens a file to be written; `-` is standard output.
 *
 * @throws {OsError} EEXIST when it is there already and may not be replaced
 */
export function openOutput(path: string, isReplacing: boolean): OutputFile {
  if (path === STANDARD_STREAM) return openStandardOutput();
  if (!isReplacing) return createFile(path);
  checkPlace(path, isReplacing);
  const temporary = `${path.slice(0, path.lastIndexOf("/") + 1)}.${crypto.randomUUID()}`;
  const file = createFile(temporary);
  return {
    sink: file.sink,
    finish() {
      file.finish();
      replace(path, temporary);
    },
    abort: () => file.abort(),
  };
}

/**
 * Makes a file.
 *
 * @param mode permissions before the umask is applied
 * @throws {OsError} EEXIST when the name is taken, by whatever
 */
export function createFile(path: string, mode = FILE_MODE): OutputFile {
  const sink = mayUseFfi ? NativeFileSink.create(path, { mode }) : PlainFileSink.create(path, mode);
  return { sink, finish: () => sink.finish(), abort: () => sink.abort() };
}

function openStandardOutput(): OutputFile {
  const sink = mayUseFfi ? openNativeOutput() : openPlainOutput();
  return { sink, finish() {}, abort() {} };
}

/** As {@link openOutput}, but nothing is written. */
export function openNowhere(path: string, isReplacing: boolean): OutputFile {
  if (path !== STANDARD_STREAM) checkPlace(path, isReplacing);
  const sink: Sink = { write() {}, copyFrom: (_fd, _offset, size) => size };
  return { sink, finish() {}, abort() {} };
}

/**
 * Only regular files are replaced: nobody wants an archive in place of `/dev/null`. @throws
 * {OsError} EEXIST
 */
function checkPlace(path: string, isReplacing: boolean): void {
  const kind = hostFiles.status(path, false)?.kind;
  if (kind === undefined || (isReplacing && kind === "file")) return;
  const call = isReplacing ? "replace (not a regular file)" : "create";
  throw new OsError(host.Errno.EEXIST, call, path);
}

/**
 * Gives a complete file the name of another one; where that fails it is removed. @throws {OsError}
 */
function replace(path: string, temporary: string): void {
  if (mayUseFfi) {
    const { FDCWD } = host.At;
    const result = host.renameAt(FDCWD, temporary, FDCWD, path);
    if (result < 0) host.unlinkAt(FDCWD, temporary);
    host.unwrap(result, "replace", path);
    return;
  }
  try {
    callRuntime("replace", path, () => Deno.renameSync(temporary, path));
  } catch (error) {
    Deno.removeSync(temporary);
    throw error;
  }
}
