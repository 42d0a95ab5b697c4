/**
 * Split archives made of entries of others: contents stay where they are, in chunks that become
 * part of the new payload stream.
 *
 * @module
 */

import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import { UsageError } from "#src/errors.ts";
import type { Sink } from "#src/io/streams.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import type { IndexedStream } from "#src/pbs/ports.ts";
import type { EntryOffset, PxarContent } from "#src/pxar/encoder.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import type { ReaderFile, TreeReader } from "#src/transfer/reader.ts";
import type { TreeWriter } from "#src/transfer/writer.ts";
import type { KeptChunks } from "./kept_chunks.ts";
import { chunkAt } from "./payload_reuse.ts";
import { SplitWriter } from "./split_writer.ts";

/** Bytes of a PAYLOAD header, in both versions of the format. */
const HEADER_SIZE = 16;

/** Indexes of the streams that contents lie in. */
export class PayloadOrigins {
  readonly chunks: KeptChunks;
  readonly #indexes = new Map<object, ChunkIndex>();

  /** @param chunks are kept when they are put into the new stream */
  constructor(chunks: KeptChunks) {
    this.chunks = chunks;
  }

  /** @param index of the stream with the payload of the archive that is read */
  add(reader: TreeReader, index: ChunkIndex): void {
    this.#indexes.set(reader.root.origin, index);
  }

  /** Index of the stream that a file's content lies in. */
  indexOf(file: ReaderFile): ChunkIndex | undefined {
    return this.#indexes.get(file.origin);
  }
}

/** The stretch of an old stream at the end of the new one. */
interface Run {
  readonly index: ChunkIndex;
  /** To be added to an offset in the old stream. */
  readonly shift: number;
  /** Entry of the index that was put into the new stream last. */
  last: number;
  /** Where the last content ends in the old stream. */
  end: number;
}

/** Writes a tree of entries of archives whose indexes are known. */
export class ReferringWriter implements TreeWriter {
  readonly #metadata: Sink;
  readonly #payload: IndexedStream;
  readonly #origins: PayloadOrigins;
  #writer: SplitWriter | undefined;
  #run: Run | undefined;

  /** The streams stay the caller's to finish. */
  constructor(metadata: Sink, payload: IndexedStream, origins: PayloadOrigins) {
    this.#metadata = metadata;
    this.#payload = payload;
    this.#origins = origins;
  }

  /** See {@link TreeWriter.startRoot}. */
  startRoot(root: PxarMetadata, prelude: Uint8Array | undefined): void {
    const [metadata, payload] = [this.#metadata, this.#payload];
    this.#writer = new SplitWriter({ root, prelude, metadata, payload, onContent: () => {} });
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
  addFile(
    name: string,
    metadata: PxarMetadata,
    size: number,
    content: PxarContent,
  ): EntryOffset {
    this.#run = undefined;
    return this.#open.addFile(name, metadata, size, content);
  }

  /** See {@link TreeWriter.referTo}. @throws {StateError} `not-found` when a chunk is missing */
  referTo(name: string, file: ReaderFile): EntryOffset | undefined {
    const index = this.#origins.indexOf(file);
    const { payload, metadata, size } = file;
    if (index === undefined || payload === undefined) return undefined;
    const start = payload.offset - HEADER_SIZE;
    const end = payload.offset + size;
    if (start < 0 || end > index.size) return undefined;
    const run = this.#runFor(index, start, end);
    return this.#open.addPayloadReference(name, metadata, size, start + run.shift);
  }

  /** See {@link TreeWriter.addHardlink}. */
  addHardlink(name: string, targetPath: string, target: EntryOffset): void {
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
    this.#open.finish();
  }

  get #open(): SplitWriter {
    if (this.#writer === undefined) throw new UsageError("Cannot write: the root is not started");
    return this.#writer;
  }

  /**
   * Sees to it that the chunks with the bytes from `start` to `end` are at the end of the new
   * stream.
   */
  #runFor(index: ChunkIndex, start: number, end: number): Run {
    const first = index.find(start);
    const last = index.find(end - 1);
    let run = this.#run;
    const goesOn = run !== undefined && run.index === index && start >= run.end &&
      first <= run.last + 1;
    if (run === undefined || !goesOn) {
      const shift = this.#open.payloadPosition - index.startOf(first);
      run = this.#run = { index, shift, last: first - 1, end };
    }
    this.#open.inject(this.#chunksBetween(index, run.last + 1, last));
    run.last = last;
    run.end = end;
    return run;
  }

  *#chunksBetween(index: ChunkIndex, first: number, last: number): Generator<KnownChunk> {
    for (let position = first; position <= last; position++) {
      this.#origins.chunks.keep(index.digestOf(position));
      yield chunkAt(index, position);
    }
  }
}
