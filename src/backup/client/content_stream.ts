/**
 * The content of a file on its way: read ahead, but no more than a window of it.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import type { CheckedProvider } from "./checked_provider.ts";
import type { ClientEntry, ContentPiece } from "./provider.ts";

/** Bytes of one file that are read ahead at most. */
export const WINDOW_BYTES: number = 4 << 20;

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
  readonly #pieces: ContentPiece[] = [];
  /** Bytes in memory that were not taken. */
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

  /** Takes what has come, in order; holes are not counted. @param sizeMax bytes, more than 0 */
  take(sizeMax: number): ContentPiece[] {
    const taken: ContentPiece[] = [];
    for (let left = sizeMax; left > 0 && this.#pieces.length > 0;) {
      const piece = this.#pieces[0]!;
      if (!(piece instanceof Uint8Array)) {
        taken.push(piece);
        this.position += piece.holeBytes;
        this.#pieces.shift();
        continue;
      }
      const part = piece.subarray(0, left);
      if (part.length === piece.length) this.#pieces.shift();
      else this.#pieces[0] = piece.subarray(left);
      taken.push(part);
      left -= part.length;
      this.position += part.length;
      this.heldBytes -= part.length;
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
      const { entry, content } = await provider.readFile(this.path, this.position);
      this.entry = entry;
      for await (const piece of content) {
        if (this.#isCancelled) break;
        this.#pieces.push(piece);
        if (piece instanceof Uint8Array) this.heldBytes += piece.length;
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
