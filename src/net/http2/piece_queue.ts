/**
 * Bytes that have come and nobody has taken yet.
 *
 * @module
 */

type Bytes = Uint8Array<ArrayBuffer>;

/** Smaller pieces are copied together. */
const SMALL_SIZE = 4096;

/**
 * Pieces in their order. Memory is at most a few times the bytes that are there, however small the
 * pieces come and however much lay beside them in the memory they came in.
 */
export class PieceQueue {
  #pieces: Bytes[] = [];
  #first = 0;
  /** Memory of the last piece, where there is room left to append to it. */
  #tail: Bytes | undefined;
  #size = 0;

  /** Bytes that are there. */
  get size(): number {
    return this.#size;
  }

  /** Appends a piece, which must not change any more. */
  push(piece: Bytes): void {
    this.#size += piece.length;
    if (piece.length >= SMALL_SIZE && piece.length * 2 >= piece.buffer.byteLength) {
      this.#tail = undefined;
      this.#pieces.push(piece);
      return;
    }
    const last = this.#tail === undefined ? undefined : this.#pieces.at(-1);
    if (last !== undefined && last.length + piece.length <= this.#tail!.length) {
      this.#tail!.set(piece, last.length);
      this.#pieces[this.#pieces.length - 1] = this.#tail!.subarray(0, last.length + piece.length);
      return;
    }
    this.#tail = new Uint8Array(Math.max(piece.length, SMALL_SIZE));
    this.#tail.set(piece);
    this.#pieces.push(this.#tail.subarray(0, piece.length));
  }

  /** Takes the first piece out. */
  shift(): Bytes | undefined {
    const piece = this.#pieces[this.#first];
    if (piece === undefined) return undefined;
    this.#size -= piece.length;
    this.#first++;
    if (this.#first === this.#pieces.length) this.clear();
    else if (this.#first >= 64 && this.#first * 2 >= this.#pieces.length) {
      this.#pieces = this.#pieces.slice(this.#first);
      this.#first = 0;
    } else {
      this.#pieces[this.#first - 1] = NOTHING;
    }
    return piece;
  }

  /** Drops all. @returns how many bytes that were */
  clear(): number {
    const size = this.#size;
    this.#pieces = [];
    this.#first = 0;
    this.#tail = undefined;
    this.#size = 0;
    return size;
  }
}

const NOTHING: Bytes = new Uint8Array();
