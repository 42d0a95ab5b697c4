/**
 * What the builder writes entries to: an encoder, or nothing.
 *
 * @module
 */

import type { EntryOffset, PxarEncoder, PxarSizes } from "../encoder.ts";
import type { SourceFile } from "./source_file.ts";

/**
 * The part of {@link PxarEncoder} that the builder uses, and a choice for writers that may not need
 * every content.
 */
export type EntryWriter = EncoderPart & {
  /**
   * Offers a regular file before its content is read. A writer that takes it adds it to an encoder
   * later, with or without reading it; until then it is closed.
   *
   * @returns what further names of the file refer to; undefined when the file is to be added at
   *   once
   */
  takeFile?(file: SourceFile): EntryOffset | undefined;
};

/** What a builder calls of an encoder. */
export type EncoderPart = Pick<
  PxarEncoder,
  | "startDirectory"
  | "finishDirectory"
  | "addFile"
  | "addFileFromFd"
  | "addSymlink"
  | "addDevice"
  | "addFifo"
  | "addSocket"
  | "addHardlink"
>;

/** Something that ends: {@link PxarEncoder.finish}. */
export interface FinishingWriter extends EntryWriter {
  /** Ends the archive. @returns its lengths, undefined when nothing was written */
  finish(): PxarSizes | undefined;
}

/** Takes entries and forgets them; contents are not read. */
export class DryRunWriter implements FinishingWriter {
  #offset = 0;

  startDirectory(): void {}

  finishDirectory(): void {}

  addFile(): EntryOffset {
    return ++this.#offset;
  }

  addFileFromFd(): EntryOffset {
    return ++this.#offset;
  }

  addSymlink(): EntryOffset {
    return ++this.#offset;
  }

  addDevice(): EntryOffset {
    return ++this.#offset;
  }

  addFifo(): EntryOffset {
    return ++this.#offset;
  }

  addSocket(): EntryOffset {
    return ++this.#offset;
  }

  addHardlink(): EntryOffset {
    return ++this.#offset;
  }

  finish(): undefined {}
}
