/**
 * Contents of the client's files where the other thread has put them: they are copied from there to
 * where they are wanted, and nowhere else.
 *
 * @module
 */

import type { HeldAnswer } from "#src/threads/mailbox/mailbox.ts";
import { type ContentPart, readParts } from "./client_calls.ts";

/** The last answer with contents. One for all walks of a thread. */
export class HeldContents {
  #answer: HeldAnswer | undefined;
  #parts: readonly ContentPart[] = [];

  /**
   * Takes an answer over. What was not read yet of the one before is copied, which is rare: the
   * walk reads in the order in which contents come.
   */
  replace(answer: HeldAnswer): readonly ContentPart[] {
    this.release();
    this.#answer = answer;
    return this.#parts = readParts(answer.bytes);
  }

  /** Gives the place of the answer back; what was not read yet is copied. */
  release(): void {
    for (const { pieces } of this.#parts) {
      pieces.forEach((piece, index) => {
        if (piece instanceof Uint8Array) pieces[index] = piece.slice();
      });
    }
    this.#parts = [];
    this.#answer?.release();
    this.#answer = undefined;
  }
}
