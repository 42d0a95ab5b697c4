/**
 * What everything in here writes to.
 *
 * @module
 */

import { FormatError, UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import { PxarEncoder } from "#src/pxar/encoder.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { EntryWriter, PxarSizes, StartArchive } from "#src/pxar/new_entry.ts";

/** Where a tree goes. */
export interface TreeWriter {
  /** Called once and first. The directory's end is that of the tree. */
  readonly startRoot: StartArchive;
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
  #hasLeftOutPrelude = false;

  /** Nothing is written before the root is started. The sinks stay the caller's to close. */
  constructor(options: ArchiveWriterOptions) {
    this.#options = options;
  }

  /** Lengths of the archive; undefined until it is finished. */
  get sizes(): PxarSizes | undefined {
    return this.#encoder?.sizes;
  }

  /** Whether a prelude was left out, because version 1 has no place for it. */
  get hasLeftOutPrelude(): boolean {
    return this.#hasLeftOutPrelude;
  }

  /**
   * See {@link TreeWriter.startRoot}. @throws {UsageError} when it was started before: a writer
   * writes one archive
   */
  startRoot(root: Metadata, prelude: Uint8Array | undefined): EntryWriter {
    if (this.#encoder !== undefined) {
      throw new UsageError("Cannot start an archive: this writer has written one");
    }
    const { payload } = this.#options;
    const keptPrelude = this.#options.prelude ?? prelude;
    this.#hasLeftOutPrelude = payload === undefined && keptPrelude !== undefined;
    return this.#encoder = new PxarEncoder(this.#options.metadata, {
      root,
      payload,
      prelude: payload && keptPrelude,
    });
  }
}

/**
 * Runs a copy, in which a name that comes twice is a fault of what is copied. @throws {FormatError}
 * `duplicate-name`
 */
export function faultingDuplicates<Result>(copy: () => Result): Result {
  try {
    return copy();
  } catch (error) {
    if (!(error instanceof UsageError) || error.code !== "duplicate-name") throw error;
    throw new FormatError(error.message, { code: error.code, cause: error });
  }
}
