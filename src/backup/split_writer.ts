/**
 * Split archives whose payload goes into chunks: every file is a good place to cut.
 *
 * @module
 */

import type { Sink } from "#src/io/streams.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { IndexedStream } from "#src/pbs/ports.ts";
import { PxarEncoder } from "#src/pxar/encoder.ts";
import type {
  EntryOffset,
  EntryWriter,
  NewEntry,
  NewFile,
  PxarSizes,
} from "#src/pxar/new_entry.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { INJECTION_COUNT_MAX } from "./reuse/payload_reuse.ts";

/** What a split archive is made with. */
export interface SplitWriterOptions {
  readonly root: Metadata;
  readonly prelude: Uint8Array | undefined;
  readonly metadata: Sink;
  readonly payload: IndexedStream;
}

/**
 * Writes a split archive. All contents are added, or referred to in chunks that are put into the
 * payload stream.
 */
export class SplitWriter implements EntryWriter {
  readonly #encoder: PxarEncoder;
  readonly #payload: IndexedStream;

  /** Starts the archive with its root directory. */
  constructor(options: SplitWriterOptions) {
    const { root, prelude, metadata, payload } = options;
    this.#payload = payload;
    this.#encoder = new PxarEncoder(metadata, {
      root,
      payload,
      prelude,
    });
  }

  /** Where the next content, or chunk, would begin in the payload stream. */
  get payloadPosition(): number {
    return this.#encoder.payloadPosition;
  }

  /** See {@link EntryWriter.add}. */
  add(name: string, entry: NewEntry): EntryOffset {
    if (entry.kind === "file") this.#payload.suggestBoundary(this.#encoder.payloadPosition);
    return this.#encoder.add(name, entry);
  }

  /** See {@link EntryWriter.finishDirectory}. */
  finishDirectory(): void {
    this.#encoder.finishDirectory();
  }

  /** Adds a file whose content, with its header, is put together of `pieces`. */
  addPieces(
    name: string,
    { metadata, size }: Pick<NewFile, "metadata" | "size">,
    pieces: Iterable<KnownChunk | Uint8Array>,
  ): EntryOffset {
    const payloadOffset = this.#encoder.payloadPosition;
    this.#payload.suggestBoundary(payloadOffset);
    const entry = this.#encoder.add(name, { kind: "reference", metadata, size, payloadOffset });
    this.#encoder.flush();
    for (const piece of pieces) {
      if (!(piece instanceof Uint8Array)) this.#injectBatch([piece]);
      else {
        this.#payload.write(piece);
        this.#encoder.advancePayload(piece.length);
      }
    }
    return entry;
  }

  /** Puts chunks into the payload stream, which is cut before them. */
  inject(chunks: Iterable<KnownChunk>): void {
    let batch: KnownChunk[] = [];
    for (const chunk of chunks) {
      batch.push(chunk);
      if (batch.length === INJECTION_COUNT_MAX) {
        this.#injectBatch(batch);
        batch = [];
      }
    }
    if (batch.length > 0) this.#injectBatch(batch);
  }

  /** Ends the archive; the streams stay open. */
  finish(): PxarSizes {
    return this.#encoder.finish();
  }

  #injectBatch(batch: readonly KnownChunk[]): void {
    this.#encoder.flush();
    this.#payload.inject(batch);
    this.#encoder.advancePayload(batch.reduce((sum, { size }) => sum + size, 0));
  }
}
