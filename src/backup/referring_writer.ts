/**
 * Split archives made of entries of others: contents stay where they are, in chunks that become
 * part of the new payload stream.
 *
 * @module
 */

import { HEADER_SIZE } from "#src/pxar/format/item.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { ChunkIndex } from "#src/pbs/format/chunk_index.ts";
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
import { chunkAt } from "./payload_reuse.ts";
import { SplitWriter, type SplitWriterOptions } from "./split_writer.ts";

/** Indexes of the streams that contents lie in. */
export class PayloadOrigins {
  readonly chunks: KeptChunks;
  readonly #indexes = new Map<object, ChunkIndex>();

  /** @param chunks are kept when they are put into the new stream */
  constructor(chunks: KeptChunks) {
    this.chunks = chunks;
  }

  /** @param index of the stream with the payload of the archive that is read */
  add(tree: Tree, index: ChunkIndex): void {
    this.#indexes.set(tree.root.origin, index);
  }

  /** Index of the stream with the contents of files of that origin. */
  indexOf(origin: object): ChunkIndex | undefined {
    return this.#indexes.get(origin);
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

/** Writes entries of archives whose indexes are known. */
export class ReferringWriter implements EntryWriter {
  readonly #writer: SplitWriter;
  readonly #origins: PayloadOrigins;
  #run: Run | undefined;

  /** The streams stay the caller's to finish. */
  constructor(options: SplitWriterOptions, origins: PayloadOrigins) {
    this.#writer = new SplitWriter(options);
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
    const index = origin === undefined ? undefined : this.#origins.indexOf(origin);
    if (index === undefined || payload === undefined) return undefined;
    const start = payload.offset - HEADER_SIZE;
    const end = payload.offset + size;
    if (start < 0 || end > index.size) return undefined;
    const { shift } = this.#runFor(index, start, end);
    return { kind: "reference", metadata, size, payloadOffset: start + shift };
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
      const shift = this.#writer.payloadPosition - index.startOf(first);
      run = this.#run = { index, shift, last: first - 1, end };
    }
    this.#writer.inject(this.#chunksBetween(index, run.last + 1, last));
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
