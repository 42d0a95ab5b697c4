/**
 * The content of a client's file in the thread that backs up, in the pieces that come.
 *
 * @module
 */

import type { DataExtent } from "#src/pxar/builder/source.ts";
import type { ContentPart } from "./client_calls.ts";
import { type ContentPiece, pieceSize } from "./provider.ts";

/** Reads one file, best in order. */
export class ClientContent {
  readonly #fetch: (offset: number) => ContentPart;
  #pieces: ContentPiece[] = [];
  /** Offset of the first byte of the pieces. */
  #position = 0;
  /** What is behind them. */
  #isEnd = false;
  #errno: number | undefined;
  /** The byte before {@link #position}, when it was read. */
  #last: number | undefined;

  /** @param fetch asks for what begins at an offset @param first what has come already */
  constructor(fetch: (offset: number) => ContentPart, first: ContentPart | undefined) {
    this.#fetch = fetch;
    if (first !== undefined) this.#accept(first);
  }

  /** Whether the client has nothing more to send. */
  get isEnd(): boolean {
    return this.#isEnd || this.#errno !== undefined;
  }

  /** Nothing more is read. */
  drop(): void {
    this.#pieces.length = 0;
  }

  /** See `SourceFile.read`. */
  read(target: Uint8Array, offset: number): number {
    if (target.length === 0) return 0;
    if (offset === this.#position - 1 && this.#last !== undefined) {
      target[0] = this.#last;
      // Whether something follows is asked, and what is wrong there is not.
      return 1 + Math.max(0, this.read(target.subarray(1), this.#position));
    }
    const piece = this.#pieceAt(offset);
    if (typeof piece === "number") return piece;
    const count = Math.min(target.length, pieceSize(piece));
    if (piece instanceof Uint8Array) target.set(piece.subarray(0, count));
    else target.fill(0, 0, count);
    this.#last = target[count - 1];
    this.#pass(count);
    return count;
  }

  /** See `SourceFile.findData`. */
  findData(offset: number, extent: DataExtent): boolean {
    const piece = this.#pieceAt(offset);
    if (typeof piece === "number") return false;
    const end = offset + pieceSize(piece);
    extent.start = piece instanceof Uint8Array ? offset : end;
    extent.end = end;
    return true;
  }

  /** What is at an offset. @returns 0 at the end, or a negative errno */
  #pieceAt(offset: number): ContentPiece | number {
    this.#goTo(offset);
    while (this.#pieces.length === 0) {
      if (this.#isEnd) return 0;
      if (this.#errno !== undefined) return -this.#errno;
      this.#accept(this.#fetch(offset));
    }
    return this.#pieces[0]!;
  }

  #accept({ pieces, isEnd, errno }: Pick<ContentPart, "pieces" | "isEnd" | "errno">): void {
    // Not a copy: bytes of an answer that is held may have to be moved elsewhere.
    this.#pieces = pieces;
    this.#isEnd = isEnd;
    this.#errno = errno;
  }

  #goTo(offset: number): void {
    while (offset > this.#position && this.#pieces.length > 0) {
      this.#pass(Math.min(offset - this.#position, pieceSize(this.#pieces[0]!)));
      this.#last = undefined;
    }
    if (offset === this.#position) return;
    this.#accept({ pieces: [], isEnd: false, errno: undefined });
    this.#last = undefined;
    this.#position = offset;
  }

  /** Goes on within the first piece. */
  #pass(count: number): void {
    const piece = this.#pieces[0]!;
    this.#position += count;
    if (count === pieceSize(piece)) this.#pieces.shift();
    else if (piece instanceof Uint8Array) this.#pieces[0] = piece.subarray(count);
    else this.#pieces[0] = { holeBytes: piece.holeBytes - count };
  }
}
