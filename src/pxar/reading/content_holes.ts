/**
 * Zeros in the files of an archive. The format stores every one of them.
 *
 * In the chunks of a backup long runs of zeros are known by digests. In a plain archive only
 * reading tells: nothing is read to answer stat(2), so that larger files are said to be a block
 * short of full, which is what makes programs ask for holes; who asks has the file searched,
 * {@link SEARCH_SIZE_MAX} at a time.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { Failure } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { PxarPayload } from "../entry.ts";
import { BlockBuffer, HOLE_BLOCK_SIZE } from "../extractor/holes.ts";
import { HEADER_SIZE } from "../format/item.ts";

/** Smaller files are not worth a search. */
export const SEARCHED_SIZE_MIN = 128 << 10;

/**
 * One search ends at the latest at a multiple of this; there a hole is interrupted by a block that
 * counts as data.
 */
export const SEARCH_SIZE_MAX = 1 << 30;

const PIECE_SIZE = 1 << 20;

/** The streams of an archive. */
export interface ContentStreams {
  /** The archive, or its metadata stream. */
  readonly source: ByteSource;
  readonly payload: ByteSource | undefined;
}

/** Where holes of one file may be. */
export interface ContentHoles {
  /** As `FileContent.nextData`. */
  nextData(offset: number): number;
  /** As `FileContent.nextHole`. */
  nextHole(offset: number): number;
}

/** Bytes of a file that may be other than zero. */
export function dataBytesOf(payload: PxarPayload, streams: ContentStreams): number {
  const { size } = payload;
  if (size < SEARCHED_SIZE_MIN) return size;
  const place = placeOf(payload, streams);
  return place?.zeros?.countData(place.start, place.start + size) ?? size - HOLE_BLOCK_SIZE;
}

/** Zeros of a file that chunks tell; undefined where they have to be searched. */
export function knownHoles(
  payload: PxarPayload,
  streams: ContentStreams,
): ContentHoles | undefined {
  const place = placeOf(payload, streams);
  const zeros = place?.zeros;
  if (place === undefined || zeros === undefined) return undefined;
  const { start } = place;
  const within = (found: number) => Math.min(found - start, payload.size);
  return {
    nextData: (offset) => within(zeros.nextData(start + offset)),
    nextHole: (offset) => within(zeros.nextHole(start + offset)),
  };
}

/**
 * Where the content is in its stream, if the header before it is sound: that shows when it is read.
 */
function placeOf(payload: PxarPayload, streams: ContentStreams) {
  const isInline = payload.kind === "inline";
  const source = isInline ? streams.source : streams.payload;
  if (source === undefined) return undefined;
  return { zeros: source.zeros, start: payload.offset + (isInline ? 0 : HEADER_SIZE) };
}

/** Reads a file's content; see `FileContent.readInto`. */
export type ReadContent = (
  target: NativeBuffer,
  start: number,
  size: number,
  offset: number,
) => number;

/** Searches files for blocks of zeros. Has the buffers for that, made at the first search. */
export class HoleSearch {
  readonly #allocate: (size: number) => NativeBuffer;
  #blocks: BlockBuffer | undefined;

  constructor(allocate: (size: number) => NativeBuffer) {
    this.#allocate = allocate;
  }

  /** Holes of a file of `size` bytes that is read by `read`. */
  in(read: ReadContent, size: number): ContentHoles {
    return {
      nextData: (offset) => this.#next(read, size, offset, false),
      nextHole: (offset) => this.#next(read, size, offset, true),
    };
  }

  #next(read: ReadContent, size: number, offset: number, isHoleWanted: boolean): number {
    const limit = Math.min(endOfSearch(offset), size);
    let position = offset - offset % HOLE_BLOCK_SIZE;
    if (position > 0 && position % SEARCH_SIZE_MAX === 0) {
      if (!isHoleWanted) return offset;
      position += HOLE_BLOCK_SIZE;
    }
    while (position < limit) {
      const length = Math.min(PIECE_SIZE, limit - position);
      const found = this.#search(read, position, length, isHoleWanted);
      if (found < length) return Math.max(offset, position + found);
      position += length;
    }
    return limit;
  }

  /** @returns where in the piece it is; its length if it is not there */
  #search(read: ReadContent, position: number, length: number, isHoleWanted: boolean): number {
    const blocks = this.#blocks ??= new BlockBuffer(this.#allocate(PIECE_SIZE));
    try {
      blocks.fill({
        read: (target, start, count) => {
          return read(target, start, count, position + start);
        },
      }, length);
    } catch (error) {
      // A read of it must fail with the damage, so it counts as data.
      if (!(error instanceof Failure)) throw error;
      return isHoleWanted ? length : 0;
    }
    return isHoleWanted ? blocks.nextHole(0) : blocks.nextData(0);
  }
}

/** The next multiple of {@link SEARCH_SIZE_MAX} behind an offset. */
function endOfSearch(offset: number): number {
  return (Math.floor(offset / SEARCH_SIZE_MAX) + 1) * SEARCH_SIZE_MAX;
}
