/**
 * Split archives whose payload goes into chunks: every file is a good place to cut.
 *
 * @module
 */

import type { Sink } from "#src/io/streams.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { IndexedStream } from "#src/pbs/ports.ts";
import type { FinishingWriter } from "#src/pxar/builder/entry_writer.ts";
import {
  type EntryOffset,
  type PxarContent,
  PxarEncoder,
  type PxarSizes,
} from "#src/pxar/encoder.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import { INJECTION_COUNT_MAX } from "./payload_reuse.ts";
import { type OnContent, watchedSink } from "./watched_sink.ts";

/** What a split archive is made with. */
export interface SplitWriterOptions {
  readonly root: PxarMetadata;
  readonly prelude: Uint8Array | undefined;
  readonly metadata: Sink;
  readonly payload: IndexedStream;
  readonly onContent: OnContent;
}

/**
 * Writes a split archive. All contents are added, or referred to in chunks that are put into the
 * payload stream.
 */
export class SplitWriter implements FinishingWriter {
  readonly #encoder: PxarEncoder;
  readonly #payload: IndexedStream;

  /** Starts the archive with its root directory. */
  constructor(options: SplitWriterOptions) {
    const { root, prelude, metadata, payload, onContent } = options;
    this.#payload = payload;
    this.#encoder = new PxarEncoder(metadata, {
      root,
      payload: watchedSink(payload, onContent),
      prelude,
    });
  }

  /** Where the next content, or chunk, would begin in the payload stream. */
  get payloadPosition(): number {
    return this.#encoder.payloadPosition;
  }

  /** See {@link PxarEncoder.startDirectory}. */
  startDirectory(name: string, metadata: PxarMetadata): void {
    this.#encoder.startDirectory(name, metadata);
  }

  /** See {@link PxarEncoder.finishDirectory}. */
  finishDirectory(): void {
    this.#encoder.finishDirectory();
  }

  /** See {@link PxarEncoder.addFile}. */
  addFile(
    name: string,
    metadata: PxarMetadata,
    size: number,
    content: PxarContent | Uint8Array,
  ): EntryOffset {
    this.#payload.suggestBoundary(this.#encoder.payloadPosition);
    return this.#encoder.addFile(name, metadata, size, content);
  }

  /** See {@link PxarEncoder.addFileFromFd}. */
  addFileFromFd(
    name: string,
    metadata: PxarMetadata,
    size: number,
    fd: number,
    offset: number,
    rest?: (taken: number) => PxarContent,
  ): EntryOffset {
    this.#payload.suggestBoundary(this.#encoder.payloadPosition);
    return this.#encoder.addFileFromFd(name, metadata, size, fd, offset, rest);
  }

  /** See {@link PxarEncoder.addPayloadReference}. */
  addPayloadReference(
    name: string,
    metadata: PxarMetadata,
    size: number,
    payloadOffset: number,
  ): EntryOffset {
    return this.#encoder.addPayloadReference(name, metadata, size, payloadOffset);
  }

  /** See {@link PxarEncoder.addSymlink}. */
  addSymlink(name: string, metadata: PxarMetadata, target: string): EntryOffset {
    return this.#encoder.addSymlink(name, metadata, target);
  }

  /** See {@link PxarEncoder.addDevice}. */
  addDevice(name: string, metadata: PxarMetadata, major: bigint, minor: bigint): EntryOffset {
    return this.#encoder.addDevice(name, metadata, major, minor);
  }

  /** See {@link PxarEncoder.addFifo}. */
  addFifo(name: string, metadata: PxarMetadata): EntryOffset {
    return this.#encoder.addFifo(name, metadata);
  }

  /** See {@link PxarEncoder.addSocket}. */
  addSocket(name: string, metadata: PxarMetadata): EntryOffset {
    return this.#encoder.addSocket(name, metadata);
  }

  /** See {@link PxarEncoder.addHardlink}. */
  addHardlink(name: string, targetPath: string, target: EntryOffset): EntryOffset {
    return this.#encoder.addHardlink(name, targetPath, target);
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
