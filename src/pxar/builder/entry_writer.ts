/**
 * What the builder writes entries to: an encoder, or nothing.
 *
 * @module
 */

import type { EntryOffset, PxarEncoder, PxarSizes } from "../encoder.ts";

/** The part of {@link PxarEncoder} that the builder uses. */
export type EntryWriter = Pick<
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
