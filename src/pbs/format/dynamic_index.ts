/**
 * Dynamic indexes (`*.didx`): chunks of any size.
 *
 * After the header (`chunk_index.ts`) come entries of 40 bytes: where the chunk ends in the stream
 * (8 bytes), and its digest. The checksum in the header is over all of them.
 *
 * @module
 */

import { type ChunkDigest, digestBytes } from "#src/bytes/chunk_digest.ts";
import { FormatError, UsageError } from "#src/errors.ts";
import { BLOB_DATA_SIZE_MAX } from "./blob.ts";
import {
  type ChunkIndex,
  digestAt,
  type EncodedIndex,
  encodeIndexHeader,
  type HashBytes,
  INDEX_FIELDS_OFFSET,
  INDEX_HEADER_SIZE,
  type IndexLayout,
  type IndexStamp,
  parseIndexHeader,
  u64At,
  viewOf,
} from "./chunk_index.ts";

/** Start of the SHA-256 of `Proxmox Backup dynamic sized chunk index v1.0`. */
export const DYNAMIC_INDEX_MAGIC: Uint8Array<ArrayBuffer> = Uint8Array.fromHex("1c914ea519bab3cd");
const ENTRY_SIZE = 40;
const DIGEST_OFFSET = 8;
const WHAT = "dynamic index";
const CAPACITY_FIRST = 64;

/**
 * Reads the header of a file of `fileSize` bytes.
 *
 * @throws {FormatError} when it is none
 */
export function readDynamicLayout(
  header: Uint8Array<ArrayBuffer>,
  fileSize: number,
): IndexLayout {
  const fields = parseIndexHeader(header, DYNAMIC_INDEX_MAGIC, WHAT, INDEX_FIELDS_OFFSET);
  const count = (fileSize - INDEX_HEADER_SIZE) / ENTRY_SIZE;
  if (!Number.isInteger(count)) {
    throw new FormatError(
      `Cannot read ${WHAT}: ${fileSize} bytes are not a header and whole entries`,
    );
  }
  return { ...fields, count, entrySize: ENTRY_SIZE, digestOffset: DIGEST_OFFSET };
}

/**
 * Where the chunk at `position` ends, whose entry is at `offset` of `view` and which starts at
 * `start`.
 *
 * @throws {FormatError} when the offset does not grow, or grows by more than a chunk can have
 */
export function readDynamicEnd(
  view: DataView,
  offset: number,
  start: number,
  position: number,
): number {
  const end = u64At(view, offset);
  // This also keeps every offset exact: above 2^53 a step of that size is far away.
  if (!(end > start) || end - start > BLOB_DATA_SIZE_MAX || end > Number.MAX_SAFE_INTEGER) {
    throw new FormatError(
      `Cannot read ${WHAT}: chunk ${position} cannot end at ${end} after ${start}`,
      { offset: INDEX_HEADER_SIZE + position * ENTRY_SIZE },
    );
  }
  return end;
}

/** A parsed dynamic index. */
export class DynamicIndex implements ChunkIndex {
  readonly count: number;
  readonly size: number;
  readonly ctime: number;
  readonly uuid: Uint8Array<ArrayBuffer>;
  readonly statedChecksum: ChunkDigest;
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView;

  private constructor(bytes: Uint8Array<ArrayBuffer>) {
    const header = readDynamicLayout(bytes, bytes.length);
    this.ctime = header.ctime;
    this.uuid = header.uuid;
    this.statedChecksum = header.statedChecksum;
    this.#bytes = bytes;
    this.#view = viewOf(bytes);
    this.count = header.count;
    this.size = this.#checkEnds();
  }

  /**
   * Reads an index; the bytes are kept, not copied. The checksum is not computed: see
   * {@link computeChecksum}.
   *
   * @throws {FormatError} when it is none, or its offsets do not grow or grow by more than a chunk
   *   can have
   */
  static parse(bytes: Uint8Array<ArrayBuffer>): DynamicIndex {
    return new DynamicIndex(bytes);
  }

  startOf(position: number): number {
    return position === 0 ? 0 : this.endOf(position - 1);
  }

  endOf(position: number): number {
    return u64At(this.#view, INDEX_HEADER_SIZE + position * ENTRY_SIZE);
  }

  /** SHA-256 of the entry, behind its end offset. */
  digestOf(position: number): ChunkDigest {
    return digestAt(this.#bytes, INDEX_HEADER_SIZE + position * ENTRY_SIZE + DIGEST_OFFSET);
  }

  find(offset: number): number {
    let low = 0;
    let high = this.count;
    while (low < high) {
      const middle = (low + high) >>> 1;
      if (this.endOf(middle) > offset) high = middle;
      else low = middle + 1;
    }
    return low;
  }

  computeChecksum(sha256: HashBytes): ChunkDigest {
    return sha256(this.#bytes.subarray(INDEX_HEADER_SIZE)).toHex() as ChunkDigest;
  }

  #checkEnds(): number {
    let end = 0;
    for (let position = 0; position < this.count; position++) {
      end = readDynamicEnd(this.#view, INDEX_HEADER_SIZE + position * ENTRY_SIZE, end, position);
    }
    return end;
  }
}

/** Makes a dynamic index chunk by chunk. */
export class DynamicIndexBuilder {
  #bytes = new Uint8Array(INDEX_HEADER_SIZE + CAPACITY_FIRST * ENTRY_SIZE);
  #view = viewOf(this.#bytes);
  #length = INDEX_HEADER_SIZE;
  #size = 0;

  /** Number of chunks so far. */
  get count(): number {
    return (this.#length - INDEX_HEADER_SIZE) / ENTRY_SIZE;
  }

  /** Bytes of the stream so far. */
  get size(): number {
    return this.#size;
  }

  /** Appends a chunk that ends at `endOffset` of the stream. */
  add(digest: ChunkDigest, endOffset: number): void {
    if (!(endOffset > this.#size) || endOffset > Number.MAX_SAFE_INTEGER) {
      throw new UsageError(`Cannot end a chunk at ${endOffset} after ${this.#size}`);
    }
    if (this.#length + ENTRY_SIZE > this.#bytes.length) {
      const larger = new Uint8Array(INDEX_HEADER_SIZE + 2 * this.#bytes.length);
      larger.set(this.#bytes);
      this.#bytes = larger;
      this.#view = viewOf(larger);
    }
    this.#view.setUint32(this.#length, endOffset, true);
    this.#view.setUint32(this.#length + 4, Math.floor(endOffset / 0x1_0000_0000), true);
    this.#bytes.set(digestBytes(digest), this.#length + DIGEST_OFFSET);
    this.#length += ENTRY_SIZE;
    this.#size = endOffset;
  }

  /** The index file. */
  finish(stamp: IndexStamp, sha256: HashBytes): EncodedIndex {
    return sealDynamicIndex(this.unsealed(), stamp, sha256);
  }

  /** The index file but for its header, for {@link sealDynamicIndex}; a copy. */
  unsealed(): Uint8Array<ArrayBuffer> {
    return this.#bytes.slice(0, this.#length);
  }
}

/** Gives an index file its header, in place. */
export function sealDynamicIndex(
  bytes: Uint8Array<ArrayBuffer>,
  stamp: IndexStamp,
  sha256: HashBytes,
): EncodedIndex {
  return { checksum: encodeIndexHeader(bytes, DYNAMIC_INDEX_MAGIC, stamp, sha256), bytes };
}
