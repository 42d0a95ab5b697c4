/**
 * An archive that a command reads, wherever it lies: in files, on standard input, in a snapshot.
 *
 * @module
 */

import type { KnownEntry } from "#src/pxar/damage_path.ts";
import { standardInputFile } from "#src/io/files/plain_source.ts";
import {
  type ArchiveSources,
  type InputStreams,
  openArchiveFiles,
  openStreamsByName,
  STANDARD_STREAM,
} from "./archive_files.ts";

/** An archive to be read. */
export interface ArchiveInput {
  /** What messages call it. */
  readonly name: string;
  /** It can be read only once and in order. */
  readonly isPipe: boolean;
  /**
   * Opens it for random access.
   *
   * @throws {OsError} when that fails
   * @throws {UsageError} for a pipe
   */
  openFiles(): ArchiveSources;
  /** What is in a directory of it, as far as something else than the archive tells. */
  readonly knownEntries?: ((path: string) => readonly KnownEntry[]) | undefined;
  /** Opens it for reading in order. @throws {OsError} */
  openStreams(): InputStreams;
}

/**
 * An archive by its file name; `-` is standard input.
 *
 * @param payload path of the payload stream, where it is not found by name
 */
export function fileInput(path: string, payload: string | undefined): ArchiveInput {
  return {
    name: path,
    isPipe: path === STANDARD_STREAM && standardInputFile() === undefined,
    openFiles: () => openArchiveFiles(path, payload),
    openStreams: () => openStreamsByName(path, payload),
  };
}
