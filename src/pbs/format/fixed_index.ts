/**
 * Fixed indexes (`*.fidx`): chunks of one size, but for the last.
 *
 * | offset | size | field                                            |
 * | ------ | ---- | ------------------------------------------------ |
 * | 64     | 8    | bytes of the image                               |
 * | 72     | 8    | bytes of a chunk, a power of two                 |
 * | 4096   | 32 n | digests                                          |
 *
 * The rest of the header is that of `chunk_index.ts`.
 *
 * @module
 */

import { type ChunkDigest, digestBytes } from "#src/bytes/chunk_digest.ts";
import { FormatError, LimitError, UsageError } from "#src/errors.ts";
import { BLOB_DATA_SIZE_MAX } from "./blob.ts";
import {
  type ChunkIndex,
  digestAt,
  type EncodedIndex,
  encodeIndexHeader,
  type HashBytes,
  INDEX_HEADER_SIZE,
  type IndexLayout,
  type IndexStamp,
  parseIndexHeader,
  u64At,
  viewOf,
} from "./chunk_index.ts";

/** Start of the SHA-256 of `Proxmox Backup fixed sized chunk index v1.0`. */
export const FIXED_INDEX_MAGIC: Uint8Array<ArrayBuffer> = Uint8Array.fromHex("2f7f41ed91fd0fcd");
const SIZE_OFFSET = 64;
const CHUNK_SIZE_OFFSET = 72;
const ZEROS_OFFSET = 80;
const ENTRY_SIZE = 32;
/** An index of so many chunks has 4 GiB: 512 TiB in chunks of the usual size. */
const COUNT_MAX = 1 << 27;
const WHAT = "fixed index";

/** See {@link IndexLayout}. */
export interface FixedIndexLayout extends IndexLayout {
  /** Bytes of the image. */
  readonly size: number;
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number;
}

/**
 * Reads the header of a file of `fileSize` bytes.
 *
 * @throws {FormatError} when it is none, or its sizes do not fit each other
 */
export function readFixedLayout(
  header: Uint8Array<ArrayBuffer>,
  fileSize: number,
): FixedIndexLayout {
  const fields = parseIndexHeader(header, FIXED_INDEX_MAGIC, WHAT, ZEROS_OFFSET);
  const view = viewOf(header);
  const size = u64At(view, SIZE_OFFSET);
  const chunkSize = u64At(view, CHUNK_SIZE_OFFSET);
  if (!isChunkSize(chunkSize)) {
    throw new FormatError(`Cannot read ${WHAT}: chunk size ${chunkSize} is not possible`, {
      offset: CHUNK_SIZE_OFFSET,
    });
  }
  const count = (fileSize - INDEX_HEADER_SIZE) / ENTRY_SIZE;
  if (size === 0 || size > Number.MAX_SAFE_INTEGER || count !== Math.ceil(size / chunkSize)) {
    throw new FormatError(
      `Cannot read ${WHAT}: a file of ${fileSize} bytes cannot describe ${size} bytes`,
      { offset: SIZE_OFFSET },
    );
  }
  return { ...fields, count, entrySize: ENTRY_SIZE, digestOffset: 0, size, chunkSize };
}

/** A parsed fixed index. */
export class FixedIndex implements ChunkIndex {
  readonly count: number;
  readonly size: number;
  /** Bytes of every chunk but the last. */
  readonly chunkSize: number;
  readonly ctime: number;
  readonly uuid: Uint8Array<ArrayBuffer>;
  readonly statedChecksum: ChunkDigest;
  readonly #bytes: Uint8Array<ArrayBuffer>;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    const layout = readFixedLayout(bytes, bytes.length);
    this.ctime = layout.ctime;
    this.uuid = layout.uuid;
    this.statedChecksum = layout.statedChecksum;
    this.size = layout.size;
    this.chunkSize = layout.chunkSize;
    this.count = layout.count;
    this.#bytes = bytes;
  }

  /**
   * Reads an index; the bytes are kept, not copied. The checksum, which the sizes are no part of,
   * is not computed: see {@link computeChecksum}.
   *
   * @throws {FormatError} when it is none, or its sizes do not fit each other
   */
  static parse(bytes: Uint8Array<ArrayBuffer>): FixedIndex {
    return new FixedIndex(bytes);
  }

  startOf(position: number): number {
    return position * this.chunkSize;
  }

  endOf(position: number): number {
    return Math.min((position + 1) * this.chunkSize, this.size);
  }

  /** SHA-256 that is the whole entry: offsets follow from the chunk size. */
  digestOf(position: number): ChunkDigest {
    return digestAt(this.#bytes, INDEX_HEADER_SIZE + position * ENTRY_SIZE);
  }

  find(offset: number): number {
    return offset < this.size ? Math.floor(offset / this.chunkSize) : this.count;
  }

  computeChecksum(sha256: HashBytes): ChunkDigest {
    return sha256(this.#bytes.subarray(INDEX_HEADER_SIZE)).toHex() as ChunkDigest;
  }
}

/** Makes the fixed index of an image whose size is known, in any order of its chunks. */
export class FixedIndexBuilder {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  /** Chunks of the image. */
  readonly #total: number;
  /** Positions that have a chunk. */
  #count = 0;

  /**
   * Both sizes in bytes; the image is not empty, the chunk size a power of two.
   *
   * @throws {UsageError} when the sizes are none
   * @throws {LimitError} when there are too many chunks for an index in memory
   */
  constructor(readonly size: number, readonly chunkSize: number) {
    this.#total = fixedIndexCount(size, chunkSize);
    this.#bytes = new Uint8Array(INDEX_HEADER_SIZE + this.#total * ENTRY_SIZE);
    const view = viewOf(this.#bytes);
    view.setBigUint64(SIZE_OFFSET, BigInt(size), true);
    view.setBigUint64(CHUNK_SIZE_OFFSET, BigInt(chunkSize), true);
  }

  /** Goes on from a finished index. The bytes are copied. @throws {FormatError} when it is none */
  static from(index: Uint8Array<ArrayBuffer>): FixedIndexBuilder {
    const { size, chunkSize } = readFixedLayout(index, index.length);
    const builder = new FixedIndexBuilder(size, chunkSize);
    builder.#bytes.set(index.subarray(INDEX_HEADER_SIZE), INDEX_HEADER_SIZE);
    builder.#count = builder.#total;
    return builder;
  }

  /** Number of chunks so far. */
  get count(): number {
    return this.#count;
  }

  /** Number of chunks that the image has in all. */
  get total(): number {
    return this.#total;
  }

  /** Sets the chunk of the first position that has none, where all are set in order. */
  add(digest: ChunkDigest): void {
    this.set(this.#count, digest);
  }

  /** Sets the chunk of a position. */
  set(position: number, digest: ChunkDigest): void {
    if (!(position < this.#total)) {
      throw new UsageError(`Cannot add a chunk: the image has ${this.#total}`);
    }
    const offset = INDEX_HEADER_SIZE + position * ENTRY_SIZE;
    const entry = this.#bytes.subarray(offset, offset + ENTRY_SIZE);
    // No bytes have the digest of zeros.
    if (entry.every((byte) => byte === 0)) this.#count++;
    entry.set(digestBytes(digest));
  }

  /** The index file, when all chunks were added. */
  finish(stamp: IndexStamp, sha256: HashBytes): EncodedIndex {
    return sealFixedIndex(this.unsealed(), stamp, sha256);
  }

  /** The index file but for its header, for {@link sealFixedIndex}; not a copy. */
  unsealed(): Uint8Array<ArrayBuffer> {
    if (this.#count < this.#total) {
      throw new UsageError(
        `Cannot finish an index of ${this.size} bytes after ${this.#count} chunks`,
      );
    }
    return this.#bytes;
  }
}

/**
 * Chunks of an image. @throws {UsageError} when the sizes are none @throws {LimitError} when there
 * are too many chunks for an index in memory
 */
export function fixedIndexCount(size: number, chunkSize: number): number {
  if (!Number.isSafeInteger(size) || size < 1) {
    throw new UsageError(`Cannot index an image of ${size} bytes`);
  }
  if (!isChunkSize(chunkSize)) throw new UsageError(`Cannot use a chunk size of ${chunkSize}`);
  const count = Math.ceil(size / chunkSize);
  if (count <= COUNT_MAX) return count;
  throw new LimitError(`Cannot index an image of ${count} chunks: more than ${COUNT_MAX}`, {
    hint: "Larger chunks are fewer",
  });
}

/** Gives an index file its header, in place; its sizes are there. */
export function sealFixedIndex(
  bytes: Uint8Array<ArrayBuffer>,
  stamp: IndexStamp,
  sha256: HashBytes,
): EncodedIndex {
  return { checksum: encodeIndexHeader(bytes, FIXED_INDEX_MAGIC, stamp, sha256), bytes };
}

function isChunkSize(size: number): boolean {
  return size >= 1 && size <= BLOB_DATA_SIZE_MAX && (size & (size - 1)) === 0;
}
