/**
 * What everything in here writes to.
 *
 * @module
 */

import { FormatError, UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import { type PxarContent, PxarEncoder, type PxarSizes } from "#src/pxar/encoder.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import type { ReaderFile } from "./reader.ts";

/**
 * Receives a tree: a directory, what is in it in ascending byte order of the names, the directory's
 * end.
 */
export interface TreeWriter {
  /** Called once and first. */
  startRoot(metadata: PxarMetadata, prelude: Uint8Array | undefined): void;
  /** Starts a directory in the one that was started last and has not been finished. */
  startDirectory(name: string, metadata: PxarMetadata): void;
  /** Ends the directory started last; not called for the root. */
  finishDirectory(): void;
  /**
   * Takes a regular file of exactly `size` bytes.
   *
   * @returns what {@link TreeWriter.addHardlink} takes to give this file a further name
   */
  addFile(name: string, metadata: PxarMetadata, size: number, content: PxarContent): number;
  /**
   * Is offered a regular file before it is opened, by writers that can refer to stored contents.
   *
   * @returns what {@link TreeWriter.addFile} returns; undefined when the file is to be added with
   *   its content
   */
  referTo?(name: string, file: ReaderFile): number | undefined;
  /**
   * Gives an earlier file a further name; `targetPath` is its path from the root without a leading
   * slash.
   */
  addHardlink(name: string, targetPath: string, target: number): void;
  /** Adds a symbolic link; `target` is not checked. */
  addSymlink(name: string, metadata: PxarMetadata, target: string): void;
  /** Adds a device node; the mode says whether it is of blocks or characters. */
  addDevice(name: string, metadata: PxarMetadata, major: bigint, minor: bigint): void;
  /** Adds a named pipe. */
  addFifo(name: string, metadata: PxarMetadata): void;
  /** Adds the name of a socket. */
  addSocket(name: string, metadata: PxarMetadata): void;
  /** Called once and last: ends the root directory. */
  finish(): void;
}

/** Where an archive goes. */
export interface ArchiveWriterOptions {
  /** The archive, or the metadata stream of a split one. */
  readonly metadata: Sink;
  /** Where the payload stream goes; given, the archive is of version 2. */
  readonly payload?: Sink | undefined;
  /** Prelude instead of that of what is copied; version 2 only. */
  readonly prelude?: Uint8Array;
}

/** Writes an archive: version 1 as one stream, version 2 with a payload stream. */
export class ArchiveWriter implements TreeWriter {
  readonly #options: ArchiveWriterOptions;
  #encoder: PxarEncoder | undefined;
  #sizes: PxarSizes | undefined;
  #hasLeftOutPrelude = false;

  /** Nothing is written before the root is started. The sinks stay the caller's to close. */
  constructor(options: ArchiveWriterOptions) {
    this.#options = options;
  }

  /** Lengths of the archive; undefined until it is finished. */
  get sizes(): PxarSizes | undefined {
    return this.#sizes;
  }

  /** Whether a prelude was left out, because version 1 has no place for it. */
  get hasLeftOutPrelude(): boolean {
    return this.#hasLeftOutPrelude;
  }

  /**
   * See {@link TreeWriter.startRoot}. @throws {UsageError} when it was started before: a writer
   * writes one archive
   */
  startRoot(metadata: PxarMetadata, prelude: Uint8Array | undefined): void {
    if (this.#encoder !== undefined) {
      throw new UsageError("Cannot start an archive: this writer has written one");
    }
    const { payload } = this.#options;
    const keptPrelude = this.#options.prelude ?? prelude;
    this.#hasLeftOutPrelude = payload === undefined && keptPrelude !== undefined;
    this.#encoder = new PxarEncoder(this.#options.metadata, {
      root: metadata,
      payload,
      prelude: payload && keptPrelude,
    });
  }

  /** See {@link TreeWriter.startDirectory}. */
  startDirectory(name: string, metadata: PxarMetadata): void {
    this.#open.startDirectory(name, metadata);
  }

  /** See {@link TreeWriter.finishDirectory}. */
  finishDirectory(): void {
    this.#open.finishDirectory();
  }

  /** See {@link TreeWriter.addFile}. */
  addFile(name: string, metadata: PxarMetadata, size: number, content: PxarContent): number {
    return this.#open.addFile(name, metadata, size, content);
  }

  /** See {@link TreeWriter.addHardlink}. */
  addHardlink(name: string, targetPath: string, target: number): void {
    this.#open.addHardlink(name, targetPath, target);
  }

  /** See {@link TreeWriter.addSymlink}. */
  addSymlink(name: string, metadata: PxarMetadata, target: string): void {
    this.#open.addSymlink(name, metadata, target);
  }

  /** See {@link TreeWriter.addDevice}. */
  addDevice(name: string, metadata: PxarMetadata, major: bigint, minor: bigint): void {
    this.#open.addDevice(name, metadata, major, minor);
  }

  /** See {@link TreeWriter.addFifo}. */
  addFifo(name: string, metadata: PxarMetadata): void {
    this.#open.addFifo(name, metadata);
  }

  /** See {@link TreeWriter.addSocket}. */
  addSocket(name: string, metadata: PxarMetadata): void {
    this.#open.addSocket(name, metadata);
  }

  /** See {@link TreeWriter.finish}. */
  finish(): void {
    this.#sizes = this.#open.finish();
  }

  get #open(): PxarEncoder {
    if (this.#encoder === undefined) throw new UsageError("Cannot write: the root is not started");
    return this.#encoder;
  }
}

/**
 * Runs a copy, in which a name that comes twice is a fault of what is copied. @throws {FormatError}
 * `duplicate-name`
 */
export function faultingDuplicates(copy: () => void): void {
  try {
    copy();
  } catch (error) {
    if (!(error instanceof UsageError) || error.code !== "duplicate-name") throw error;
    throw new FormatError(error.message, { code: error.code, cause: error });
  }
}
