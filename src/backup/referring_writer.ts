/**
 * Split archives made of entries of others: contents stay where they are, in chunks that become
 * part of the new payload stream.
 *
 * @module
 */

import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type {
  EntryOffset,
  EntryWriter,
  NewEntry,
  NewFile,
  NewReference,
  PxarSizes,
} from "#src/pxar/new_entry.ts";
import type { Tree } from "#src/tree/node.ts";
import type { KeptChunks } from "./kept_chunks.ts";
import { chunkAt } from "./reuse/payload_reuse.ts";
import { SplitWriter, type SplitWriterOptions } from "./split_writer.ts";

/** A stream that contents lie in. */
export interface OriginStream {
  readonly snapshot: SnapshotReader;
  readonly index: ChunkIndex;
}

/** The streams that contents lie in. */
export class PayloadOrigins {
  readonly chunks: KeptChunks;
  readonly #streams = new Map<object, OriginStream>();

  /** @param chunks are kept when they are put into the new stream */
  constructor(chunks: KeptChunks) {
    this.chunks = chunks;
  }

  /** @param stream with the payload of the archive that is read */
  add(tree: Tree, stream: OriginStream): void {
    this.#streams.set(tree.root.origin, stream);
  }

  /** The stream with the contents of files of that origin. */
  streamOf(origin: object): OriginStream | undefined {
    return this.#streams.get(origin);
  }
}

/** The stretch of an old stream at the end of the new one. */
interface Run {
  readonly stream: OriginStream;
  /** To be added to an offset in the old stream. */
  readonly shift: number;
  /** Entry of the index that was put into the new stream last. */
  last: number;
  /** Where the last content ends in the old stream. */
  end: number;
}

/** Writes entries of archives whose indexes are known. */
export class ReferringWriter implements EntryWriter {
  readonly #writer: SplitWriter;
  readonly #options: SplitWriterOptions;
  readonly #origins: PayloadOrigins;
  #run: Run | undefined;

  /** The streams stay the caller's to finish. */
  constructor(options: SplitWriterOptions, origins: PayloadOrigins) {
    this.#writer = new SplitWriter(options);
    this.#options = options;
    this.#origins = origins;
  }

  /** See {@link EntryWriter.add}. @throws {StateError} `not-found` when a chunk is missing */
  add(name: string, entry: NewEntry): EntryOffset {
    if (entry.kind !== "file") return this.#writer.add(name, entry);
    const reference = this.#reference(entry);
    if (reference === undefined) this.#run = undefined;
    return this.#writer.add(name, reference ?? entry);
  }

  /** See {@link EntryWriter.finishDirectory}. */
  finishDirectory(): void {
    this.#writer.finishDirectory();
  }

  /** See {@link EntryWriter.finish}. */
  finish(): PxarSizes {
    return this.#writer.finish();
  }

  /** The file with its content where it is; undefined when that is in no stream that is known. */
  #reference({ metadata, size, origin, payload }: NewFile): NewReference | undefined {
    const stream = origin === undefined ? undefined : this.#origins.streamOf(origin);
    if (stream === undefined || payload === undefined) return undefined;
    const start = payload.offset - HEADER_SIZE;
    const end = payload.offset + size;
    if (start < 0 || end > stream.index.size) return undefined;
    const { shift } = this.#runFor(stream, start, end);
    return { kind: "reference", metadata, size, payloadOffset: start + shift };
  }

  /**
   * Sees to it that the chunks with the bytes from `start` to `end` are at the end of the new
   * stream.
   */
  #runFor(stream: OriginStream, start: number, end: number): Run {
    const { index } = stream;
    const first = index.find(start);
    const last = index.find(end - 1);
    let run = this.#run;
    const goesOn = run !== undefined && run.stream === stream && start >= run.end &&
      first <= run.last + 1;
    if (run === undefined || !goesOn) {
      const shift = this.#writer.payloadPosition - index.startOf(first);
      run = this.#run = { stream, shift, last: first - 1, end };
    }
    this.#writer.inject(this.#chunksBetween(stream, run.last + 1, last));
    run.last = last;
    run.end = end;
    return run;
  }

  *#chunksBetween(
    { snapshot, index }: OriginStream,
    first: number,
    last: number,
  ): Generator<KnownChunk> {
    const { payload: stream } = this.#options;
    for (let position = first; position <= last; position++) {
      const chunk = chunkAt(index, position);
      this.#origins.chunks.keep(chunk.digest, { snapshot, size: chunk.size, stream });
      yield chunk;
    }
  }
}
