/**
 * The indexes that a backup session writes, in the main isolate: what is appended is checked and
 * remembered here, and files are written by store threads.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { LimitError } from "#src/errors.ts";
import { DynamicIndexBuilder } from "../format/dynamic_index.ts";
import { FixedIndexBuilder, fixedIndexCount } from "../format/fixed_index.ts";
import type { UploadStatistics } from "../format/manifest.ts";
import type { Insertion } from "../storage/chunk_insertion.ts";
import { Refusal } from "./refusal.ts";

/** Chunk size of all fixed indexes. */
export const FIXED_CHUNK_SIZE = 4 << 20;
/** Ids of writers in one session. */
export const WRITERS_MAX = 256;
/** Memory for the open indexes of a session: about 20 TiB in chunks of the usual size. */
const INDEX_BYTES_MAX = 256 << 20;
const DYNAMIC_ENTRY_SIZE = 40;
const FIXED_ENTRY_SIZE = 32;

/** The two kinds of indexes. */
export type WriterKind = "dynamic" | "fixed";

/** An index at its end, as the client says. */
export interface IndexClose {
  readonly "chunk-count": number;
  readonly size: number;
  readonly csum: string;
}

/** What has been uploaded for an index. */
export type UploadCounts = { -readonly [Figure in keyof UploadStatistics]: number };

/** An index in the making. */
abstract class IndexWriter {
  readonly uploads: UploadCounts = { count: 0, size: 0, compressedSize: 0, duplicates: 0 };

  constructor(readonly kind: WriterKind, readonly name: string) {}

  /** Bytes of memory that it takes. */
  abstract readonly memoryBytes: number;

  /** Notes a chunk that was uploaded for it. @throws {Refusal} when it cannot be one of its own */
  noteUpload(_wid: number, size: number, { isNew, storedSize }: Insertion): void {
    this.uploads.count++;
    this.uploads.size += size;
    this.uploads.compressedSize += storedSize;
    if (!isNew) this.uploads.duplicates++;
  }

  /** Appends a chunk. @throws {Refusal} when it does not belong there */
  abstract append(digest: ChunkDigest, size: number, offset: number): void;

  /** The index, but for its header. @throws {Refusal} when it is not what the client says */
  abstract finish(close: IndexClose): Uint8Array<ArrayBuffer>;

  /** A refusal of the close. */
  protected refuse(problem: string): Refusal {
    return new Refusal(400, `${this.kind} writer '${this.name}' close failed - ${problem}`);
  }
}

class DynamicWriter extends IndexWriter {
  readonly #builder = new DynamicIndexBuilder();

  constructor(name: string) {
    super("dynamic", name);
  }

  get memoryBytes(): number {
    return this.#builder.count * DYNAMIC_ENTRY_SIZE;
  }

  append(digest: ChunkDigest, size: number, offset: number): void {
    const expected = this.#builder.size;
    if (offset !== expected) {
      throw new Refusal(
        400,
        `dynamic writer '${this.name}' append chunk failed - ` +
          `got strange chunk offset (${expected} != ${offset})`,
      );
    }
    this.#builder.add(digest, offset + size);
  }

  finish(close: IndexClose): Uint8Array<ArrayBuffer> {
    const { count, size } = this.#builder;
    if (close["chunk-count"] !== count) {
      throw this.refuse(`unexpected chunk count (${count} != ${close["chunk-count"]})`);
    }
    if (close.size !== size) {
      throw this.refuse(`unexpected file size (${size} != ${close.size})`);
    }
    return this.#builder.unsealed();
  }
}

class FixedWriter extends IndexWriter {
  readonly #builder: FixedIndexBuilder;
  readonly #isReused: boolean;
  #appendedCount = 0;
  #smallCount = 0;

  constructor(name: string, builder: FixedIndexBuilder, isReused: boolean) {
    super("fixed", name);
    this.#builder = builder;
    this.#isReused = isReused;
  }

  get memoryBytes(): number {
    return this.#builder.total * FIXED_ENTRY_SIZE;
  }

  override noteUpload(wid: number, size: number, insertion: Insertion): void {
    if (size > FIXED_CHUNK_SIZE) {
      throw new Refusal(
        400,
        `fixed writer '${wid}' - got large chunk (${size} > ${FIXED_CHUNK_SIZE})`,
      );
    }
    if (size < FIXED_CHUNK_SIZE && ++this.#smallCount > 1) {
      throw new Refusal(
        400,
        `fixed writer '${wid}' - detected multiple end chunks (chunk size too small)`,
      );
    }
    super.noteUpload(wid, size, insertion);
  }

  append(digest: ChunkDigest, size: number, offset: number): void {
    const end = offset + size;
    if (end > this.#builder.size) {
      throw new Refusal(400, `chunk data exceeds size (${end} >= ${this.#builder.size})`);
    }
    if (size !== FIXED_CHUNK_SIZE && (end !== this.#builder.size || size > FIXED_CHUNK_SIZE)) {
      // The reference's text has no closing bracket either.
      throw new Refusal(400, `chunk with unexpected length (${size} != ${FIXED_CHUNK_SIZE}`);
    }
    if (offset % FIXED_CHUNK_SIZE !== 0) {
      throw new Refusal(400, `got unaligned chunk (pos = ${offset})`);
    }
    this.#builder.set(offset / FIXED_CHUNK_SIZE, digest);
    this.#appendedCount++;
  }

  finish(close: IndexClose): Uint8Array<ArrayBuffer> {
    const count = close["chunk-count"];
    if (count !== this.#appendedCount) {
      throw this.refuse(`received wrong number of chunk (${this.#appendedCount} != ${count})`);
    }
    const { total, size } = this.#builder;
    if (!this.#isReused && count !== total) {
      throw this.refuse(`unexpected chunk count (${total} != ${count})`);
    }
    if (!this.#isReused && close.size !== size) {
      throw this.refuse(`unexpected file size (${size} != ${close.size})`);
    }
    if (this.#builder.count !== total) {
      throw this.refuse(`${total - this.#builder.count} chunks are missing`);
    }
    return this.#builder.unsealed();
  }
}

/** The writers of a session by their ids, which count up. */
export class IndexWriters {
  readonly #writers = new Map<number, IndexWriter>();
  readonly #names = new Set<string>();
  #lastId = 0;

  /** How many are open. */
  get openCount(): number {
    return this.#writers.size;
  }

  /** Starts a dynamic index. @returns its id @throws {Refusal} when there are too many */
  openDynamic(name: string): number {
    return this.#open(name, () => new DynamicWriter(name));
  }

  /**
   * Starts a fixed index.
   *
   * @param base a finished index to begin with
   * @throws {Refusal} when there are too many
   * @throws {LimitError} when it has too many chunks
   */
  openFixed(name: string, size: number, base?: Uint8Array<ArrayBuffer>): number {
    this.#checkMemory(fixedIndexCount(size, FIXED_CHUNK_SIZE) * FIXED_ENTRY_SIZE);
    return this.#open(name, () => {
      const builder = base === undefined
        ? new FixedIndexBuilder(size, FIXED_CHUNK_SIZE)
        : FixedIndexBuilder.from(base);
      return new FixedWriter(name, builder, base !== undefined);
    });
  }

  /** @throws {Refusal} when there is no such writer */
  get(kind: WriterKind, wid: number): IndexWriter {
    const writer = this.#writers.get(wid);
    if (writer?.kind === kind) return writer;
    throw new Refusal(400, `${kind} writer '${wid}' not registered`);
  }

  /** {@link IndexWriter.append}, within the memory of a session. */
  append(kind: WriterKind, wid: number, digest: ChunkDigest, size: number, offset: number): void {
    const writer = this.get(kind, wid);
    if (kind === "dynamic") this.#checkMemory(DYNAMIC_ENTRY_SIZE);
    writer.append(digest, size, offset);
  }

  /** Ends a writer, whatever comes of it. */
  close(kind: WriterKind, wid: number, close: IndexClose): {
    readonly writer: IndexWriter;
    readonly bytes: Uint8Array<ArrayBuffer>;
  } {
    const writer = this.get(kind, wid);
    this.#writers.delete(wid);
    this.#names.delete(writer.name);
    return { writer, bytes: writer.finish(close) };
  }

  /** Forgets all. */
  clear(): void {
    this.#writers.clear();
  }

  #open(name: string, make: () => IndexWriter): number {
    if (this.#lastId >= WRITERS_MAX) {
      throw new Refusal(400, `too many index writers (${WRITERS_MAX} are allowed)`);
    }
    if (this.#names.has(name)) throw new Refusal(400, `index '${name}' is being written already`);
    const writer = make();
    this.#names.add(name);
    this.#writers.set(++this.#lastId, writer);
    return this.#lastId;
  }

  #checkMemory(more: number): void {
    let bytes = more;
    for (const writer of this.#writers.values()) bytes += writer.memoryBytes;
    if (bytes <= INDEX_BYTES_MAX) return;
    throw new LimitError(
      `Cannot keep ${bytes} bytes of open indexes: more than ${INDEX_BYTES_MAX}`,
    );
  }
}
