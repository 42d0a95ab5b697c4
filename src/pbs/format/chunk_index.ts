/**
 * What dynamic and fixed indexes have in common: a list of chunks that make a stream, in a file
 * with a header of 4096 bytes.
 *
 * | offset | size | field                                                        |
 * | ------ | ---- | ------------------------------------------------------------ |
 * | 0      | 8    | magic                                                        |
 * | 8      | 16   | uuid                                                         |
 * | 24     | 8    | time of creation, seconds                                    |
 * | 32     | 32   | SHA-256 of all entries                                       |
 * | 64     | …    | sizes in a fixed index; then zeros                           |
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { FormatError, UsageError } from "#src/errors.ts";

/** Bytes before the first entry. */
export const INDEX_HEADER_SIZE = 4096;
/** Where the fields of a certain kind of index begin, or the zeros. */
export const INDEX_FIELDS_OFFSET = 64;

const UUID_OFFSET = 8;
const UUID_SIZE = 16;
const CTIME_OFFSET = 24;
const CHECKSUM_OFFSET = 32;

/** SHA-256 of bytes, from outside: formats compute nothing of the kind. */
export type HashBytes = (bytes: Uint8Array<ArrayBuffer>) => Uint8Array;

/** The chunks of a stream, in order. Positions are numbers from 0 to {@link count} - 1. */
export interface ChunkIndex {
  /** Number of chunks; a chunk may occur several times. */
  readonly count: number;
  /** Bytes of the stream. */
  readonly size: number;
  /** Unix seconds. Nothing protects it. */
  readonly ctime: number;
  /** 16 bytes. Nothing protects it. */
  readonly uuid: Uint8Array<ArrayBuffer>;
  /** SHA-256 over the entries, as the header says. */
  readonly statedChecksum: ChunkDigest;
  /** Where a chunk starts in the stream. */
  startOf(position: number): number;
  /** Where a chunk ends in the stream. */
  endOf(position: number): number;
  /** Name of the chunk at a position, 0 to {@link count} - 1. */
  digestOf(position: number): ChunkDigest;
  /** The chunk with the byte at `offset` of the stream; {@link count} at the end and behind. */
  find(offset: number): number;
  /** SHA-256 over the entries as they are. */
  computeChecksum(sha256: HashBytes): ChunkDigest;
}

/** A finished index file. */
export interface EncodedIndex {
  /** The whole file, header included. */
  readonly bytes: Uint8Array<ArrayBuffer>;
  /** As the manifest names it. */
  readonly checksum: ChunkDigest;
}

/** What an index file says of itself besides its chunks. */
export interface IndexStamp {
  /** 16 random bytes. */
  readonly uuid: Uint8Array;
  /** Unix seconds. */
  readonly ctime: number;
}

/** Where the chunks are in an index file, for readers that do not take it as a whole. */
export interface IndexLayout extends IndexHeader {
  /** Number of entries, each of `entrySize` bytes, from {@link INDEX_HEADER_SIZE} on. */
  readonly count: number;
  /** 40 in a dynamic index, 32 in a fixed one. */
  readonly entrySize: number;
  /** Where the digest is in an entry. */
  readonly digestOffset: number;
}

/** What is in every header. */
export interface IndexHeader {
  /** 16 random bytes that identify this index. */
  readonly uuid: Uint8Array<ArrayBuffer>;
  /** When it was made, in unix seconds. */
  readonly ctime: number;
  /** SHA-256 over the entries, as the header says; not checked. */
  readonly statedChecksum: ChunkDigest;
}

/**
 * Reads the common part of a header.
 *
 * @param zerosOffset where the reserved bytes begin
 * @throws {FormatError} when there is no such header
 */
export function parseIndexHeader(
  bytes: Uint8Array<ArrayBuffer>,
  magic: Uint8Array,
  what: string,
  zerosOffset: number,
): IndexHeader {
  if (bytes.length < INDEX_HEADER_SIZE) {
    throw new FormatError(
      `Cannot read ${what}: it has ${bytes.length} bytes, its header needs ${INDEX_HEADER_SIZE}`,
    );
  }
  if (!magic.every((byte, offset) => bytes[offset] === byte)) {
    const seen = bytes.subarray(0, magic.length).toHex();
    throw new FormatError(`Cannot read ${what}: unknown magic ${seen}`, { offset: 0 });
  }
  const reserved = bytes.subarray(zerosOffset, INDEX_HEADER_SIZE).findIndex((byte) => byte !== 0);
  if (reserved >= 0) {
    throw new FormatError(`Cannot read ${what}: reserved bytes are not zero`, {
      offset: zerosOffset + reserved,
    });
  }
  return {
    uuid: bytes.slice(UUID_OFFSET, UUID_OFFSET + UUID_SIZE),
    ctime: Number(viewOf(bytes).getBigInt64(CTIME_OFFSET, true)),
    statedChecksum: digestAt(bytes, CHECKSUM_OFFSET),
  };
}

/** Writes the common part of a header. */
export function encodeIndexHeader(
  target: Uint8Array<ArrayBuffer>,
  magic: Uint8Array,
  { uuid, ctime }: IndexStamp,
  sha256: HashBytes,
): ChunkDigest {
  if (uuid.length !== UUID_SIZE) throw new UsageError(`Cannot use a uuid of ${uuid.length} bytes`);
  target.set(magic);
  target.set(uuid, UUID_OFFSET);
  viewOf(target).setBigInt64(CTIME_OFFSET, BigInt(ctime), true);
  const checksum = sha256(target.subarray(INDEX_HEADER_SIZE));
  target.set(checksum, CHECKSUM_OFFSET);
  return checksum.toHex() as ChunkDigest;
}

/** The digest whose bytes begin at `offset`. */
export function digestAt(bytes: Uint8Array, offset: number): ChunkDigest {
  return bytes.subarray(offset, offset + 32).toHex() as ChunkDigest;
}

/** A view of the same bytes. */
export function viewOf(bytes: Uint8Array<ArrayBuffer>): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

/** An unsigned 64-bit number as it is; not exact above 2^53. */
export function u64At(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * 0x1_0000_0000 + view.getUint32(offset, true);
}
