/**
 * The content of a file on its way: read ahead, but no more than a window of it.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import type { CheckedProvider } from "./checked_provider.ts";
import { type ClientEntry, type ContentPiece, pieceSize } from "./provider.ts";

/** Bytes of one file that are read ahead at most. */
export const WINDOW_BYTES: number = 1 << 20;

/** What a piece costs besides its bytes; holes cost something, too. */
const PIECE_COST = 64;

/** Reads a file from an offset on. */
export class ContentStream {
  readonly path: string;
  /** As it was opened, by those who know that. */
  entry: ClientEntry | undefined;
  /** What is wrong: with the file, or with what follows what is held. */
  errno: number | undefined;
  /** Offset of the first byte that was not taken. */
  position: number;
  /** Whether everything has come, or an error. */
  isOver = false;
  /** Whether pieces are freed when they are not wanted any more. */
  isFreed = false;
  readonly #pieces: ContentPiece[] = [];
  /** Bytes in memory that were not taken, and what the pieces cost besides. */
  heldBytes = 0;
  #failure: Error | undefined;
  #isCancelled = false;
  #arrival = Promise.withResolvers<void>();
  #room: PromiseWithResolvers<void> | undefined;

  /** Begins to read. */
  constructor(provider: CheckedProvider, path: string, offsetBytes: number) {
    this.path = path;
    this.position = offsetBytes;
    void this.#run(provider);
  }

  /** Whether the whole content is there. */
  get isComplete(): boolean {
    return this.isOver && this.errno === undefined && this.#failure === undefined;
  }

  /** Whether all was taken that came before the end, or before what is wrong with the file. */
  get isTaken(): boolean {
    return this.isOver && this.#pieces.length === 0 && this.#failure === undefined;
  }

  /** Waits until something can be taken. @throws {Error} what ends the backup */
  async ready(): Promise<void> {
    while (this.#pieces.length === 0 && !this.isOver) await this.#arrival.promise;
    if (this.#pieces.length === 0 && this.#failure !== undefined) throw this.#failure;
  }

  /** Takes what has come, in order. @param sizeMax what the pieces cost, more than 0 */
  take(sizeMax: number): ContentPiece[] {
    const taken: ContentPiece[] = [];
    for (let left = sizeMax; left > 0 && this.#pieces.length > 0;) {
      const piece = this.#pieces[0]!;
      const part = piece instanceof Uint8Array ? piece.subarray(0, left) : piece;
      taken.push(part);
      this.position += pieceSize(part);
      left -= costOf(part);
      this.heldBytes -= costOf(part);
      if (piece instanceof Uint8Array && pieceSize(part) < piece.length) {
        this.#pieces[0] = piece.subarray(pieceSize(part));
        this.heldBytes += PIECE_COST;
      } else {
        this.#pieces.shift();
      }
    }
    if (this.heldBytes < WINDOW_BYTES) this.#room?.resolve();
    return taken;
  }

  /** Nobody wants the rest. */
  cancel(): void {
    this.#isCancelled = true;
    this.#pieces.length = 0;
    this.heldBytes = 0;
    this.#room?.resolve();
  }

  async #run(provider: CheckedProvider): Promise<void> {
    try {
      const { entry, content, givesAway } = await provider.readFile(this.path, this.position);
      this.entry = entry;
      this.isFreed = givesAway;
      for await (const piece of content) {
        if (this.#isCancelled) break;
        this.#pieces.push(piece);
        this.heldBytes += costOf(piece);
        this.#arrived();
        if (this.heldBytes < WINDOW_BYTES) continue;
        this.#room = Promise.withResolvers();
        await this.#room.promise;
        if (this.#isCancelled) break;
      }
    } catch (error) {
      if (error instanceof OsError) this.errno = error.errno;
      else this.#failure = error as Error;
    }
    this.isOver = true;
    this.#arrived();
  }

  #arrived(): void {
    this.#arrival.resolve();
    this.#arrival = Promise.withResolvers();
  }
}

/** What a piece takes while it is held. */
function costOf(piece: ContentPiece): number {
  return PIECE_COST + (piece instanceof Uint8Array ? piece.length : 0);
}
