/**
 * Fetches the surroundings of what is read.
 *
 * Of a compressed file the reader of one page wants a few hundred bytes, and the kernel fetches no
 * more than these when reads do not follow one another: each is then a read of the disk of its own,
 * although hundreds of pages lie within what one such read could have brought at nearly the same
 * cost. The kernel does the same for mapped files, with pieces of the same size.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource, OpenSource } from "./byte_source.ts";

/**
 * What is fetched together: on disks with the usual limits it costs little more than the access
 * itself.
 */
export const PIECE_SIZE = 128 << 10;

/**
 * Who goes on at most so many pieces further is taken to read in order, perhaps by turns with other
 * threads: there the kernel reads ahead better by itself.
 */
const NEAR_PIECES = 8;

/**
 * Makes sources fetch the piece of the file in which something is read, once as long as the file is
 * open. Sources that know no {@link ByteSource.willRead} stay as they are.
 */
export function readingAround(open: OpenSource): OpenSource {
  return (path) => {
    const source = open(path);
    return source.willRead === undefined ? source : new ReadAroundSource(source);
  };
}

class ReadAroundSource implements ByteSource {
  readonly size: number;
  readonly #source: ByteSource;
  /** One byte a piece: whether it was fetched. */
  readonly #isFetched: Uint8Array;
  /** The piece in which the last read ended. */
  #lastPiece = -1;

  constructor(source: ByteSource) {
    this.size = source.size;
    this.#source = source;
    this.#isFetched = new Uint8Array(Math.ceil(source.size / PIECE_SIZE));
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    const piece = Math.floor(offset / PIECE_SIZE);
    const ahead = piece - this.#lastPiece;
    const isNear = ahead >= 0 && ahead <= NEAR_PIECES;
    this.#lastPiece = Math.floor((offset + size) / PIECE_SIZE);
    if (!isNear && this.#isFetched[piece] === 0) {
      this.#isFetched[piece] = 1;
      this.#source.willRead!(piece * PIECE_SIZE, PIECE_SIZE);
    }
    return this.#source.readAt(target, start, size, offset);
  }

  close(): void {
    this.#source.close();
  }
}
