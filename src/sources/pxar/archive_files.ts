/**
 * Archives by their file names: one stream, or two that belong together (`NAME.mpxar` and
 * `NAME.ppxar`).
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { UsageError } from "#src/errors.ts";
import type { ByteSource, OpenSource } from "#src/io/byte_source.ts";
import { standardInputFile } from "#src/io/files/plain_source.ts";
import type { ClosableSource } from "#src/io/streams.ts";
import { standardInputSource } from "#src/io/files/plain_stream.ts";

/** Stands for standard input or output in place of a file name. */
export const STANDARD_STREAM = "-";

const METADATA_SUFFIX = ".mpxar";
const PAYLOAD_SUFFIX = ".ppxar";

/** An archive that is open for random access. */
export interface ArchiveSources extends Disposable {
  /** What messages call it. */
  readonly name: string;
  /** The archive, or its metadata stream. */
  readonly source: ByteSource;
  /** Payload stream of a split archive, when there is one. */
  readonly payload: ByteSource | undefined;
}

/** An archive that is open for reading in order. */
export interface InputStreams extends Disposable {
  /** What messages call it. */
  readonly name: string;
  /** The archive, or its metadata stream. */
  readonly source: ClosableSource;
  /** Payload stream of a split archive, when there is one. */
  readonly payload: ClosableSource | undefined;
  /** Length of the payload stream, where it is a regular file. */
  readonly payloadSize: number | undefined;
}

/** Whether a name is that of the metadata stream of a split archive. */
export function isSplitName(path: string): boolean {
  return path.endsWith(METADATA_SUFFIX);
}

/**
 * Path of the payload stream: the one asked for, or the one beside the metadata stream by its name.
 * Undefined for archives of one stream.
 */
export function payloadPath(path: string, asked: string | undefined): string | undefined {
  if (asked !== undefined) return asked;
  if (!isSplitName(path)) return undefined;
  return path.slice(0, -METADATA_SUFFIX.length) + PAYLOAD_SUFFIX;
}

/**
 * {@link payloadPath} of an archive to be read: a file that is not there is left out, unless it was
 * asked for.
 */
export function existingPayloadPath(path: string, asked: string | undefined): string | undefined {
  const found = payloadPath(path, asked);
  if (found === undefined || asked !== undefined) return found;
  return hostFiles.status(found) !== undefined ? found : undefined;
}

/**
 * Opens an archive for random access.
 *
 * @param payload path of the payload stream, where it is not found by name
 * @throws {OsError} when a file cannot be opened
 * @throws {UsageError} for standard input that is no file
 */
export function openArchiveFiles(
  path: string,
  payload: string | undefined,
  open: OpenSource = hostFiles.openSource,
): ArchiveSources {
  if (path === STANDARD_STREAM) {
    const files = openStandardInputFiles(payload);
    if (files !== undefined) return files;
    throw new UsageError("Cannot read standard input here, which is a pipe", {
      option: "archive",
      hint: "The archive must be a file; ls, list, cat, extract and cp can read pipes",
    });
  }
  const payloadFile = existingPayloadPath(path, payload);
  const pair = openSourcePair(
    realPath(path),
    payloadFile === undefined ? undefined : realPath(payloadFile),
    open,
  );
  return {
    name: path,
    ...pair,
    [Symbol.dispose]() {
      pair.source.close();
      pair.payload?.close();
    },
  };
}

/**
 * Opens the archive on standard input for random access.
 *
 * @returns undefined when that is a pipe, or something else that can only be read in order
 * @throws {OsError} when the payload stream cannot be opened
 */
export function openStandardInputFiles(payload: string | undefined): ArchiveSources | undefined {
  const source = standardInputFile();
  if (source === undefined) return undefined;
  const payloadSource = payload === undefined ? undefined : hostFiles.openSource(realPath(payload));
  return {
    name: "standard input",
    source,
    payload: payloadSource,
    [Symbol.dispose]: () => payloadSource?.close(),
  };
}

/**
 * Opens one or two files; when the second cannot be opened the first is closed again. @throws
 * {OsError}
 */
export function openSourcePair(
  path: string,
  payload: string | undefined,
  open: OpenSource,
): { readonly source: ByteSource; readonly payload: ByteSource | undefined } {
  const source = open(path);
  try {
    return { source, payload: payload === undefined ? undefined : open(payload) };
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * Opens an archive for reading in order; `-` is standard input.
 *
 * @throws {OsError} when a file cannot be opened
 */
export function openStreamsByName(path: string, payload: string | undefined): InputStreams {
  const source = path === STANDARD_STREAM ? standardInputSource() : hostFiles.openStream(path);
  const payloadFile = existingPayloadPath(path, payload);
  try {
    const payloadSource = payloadFile === undefined ? undefined : hostFiles.openStream(payloadFile);
    return {
      name: path === STANDARD_STREAM ? "standard input" : path,
      source,
      payload: payloadSource,
      payloadSize: payloadSource?.size,
      [Symbol.dispose]() {
        source.close();
        payloadSource?.close();
      },
    };
  } catch (error) {
    source.close();
    throw error;
  }
}

/**
 * The path without symbolic links, where there is such a file: sources do not open what a link
 * leads to, but a user may name an archive by one.
 */
export function realPath(path: string): string {
  try {
    return hostFiles.realPath(path);
  } catch {
    // Opening it says why.
    return path;
  }
}
