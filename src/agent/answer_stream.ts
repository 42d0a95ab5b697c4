/**
 * An answer as it comes: frames wait here until they are taken, and the other side sends no more
 * than was asked for.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import { unpackedSize } from "./data_packing.ts";
import { FLAG_ZSTD, type Frame, frameCost, FrameKind, PAYLOAD_SIZE_MAX } from "./format/frame.ts";

/** Credit that is given with a request: what a small file or directory costs. */
export const CREDIT_AT_FIRST = 256 << 10;
/** What may be under way, or wait here, of an answer that is taken faster than it comes. */
const CREDIT_MAX = 4 << 20;

/** What the stream needs of the connection. */
export interface AnswerOwner {
  /** Lets the other side send more of the answer. */
  give(credit: number): void;
  /** Nothing more of the answer is wanted. */
  cancel(): void;
}

/** The frames of one answer. */
export class AnswerStream {
  readonly #owner: AnswerOwner;
  readonly #frames: Frame[] = [];
  #window = CREDIT_AT_FIRST;
  /** Cost of what may come, or waits here. */
  #given = CREDIT_AT_FIRST;
  /** Cost of what was taken since more was given. */
  #taken = 0;
  /** Whether there was nothing to take since more was given. */
  #hasWaited = false;
  #isEnded = false;
  #isCancelled = false;
  #failure: unknown;
  #hasFailed = false;
  #wake: (() => void) | undefined;

  constructor(owner: AnswerOwner) {
    this.#owner = owner;
  }

  /**
   * The next frame; undefined at the end.
   *
   * @throws what has ended the answer
   */
  async next(): Promise<Frame | undefined> {
    while (true) {
      const frame = this.#frames.shift();
      if (frame !== undefined) {
        this.#account(costOf(frame));
        return frame;
      }
      if (this.#hasFailed) throw this.#failure;
      if (this.#isEnded) return undefined;
      this.#hasWaited = true;
      await new Promise<void>((resolve) => this.#wake = resolve);
      this.#wake = undefined;
    }
  }

  /** A frame has come. @throws {ProtocolError} when it was not to be sent yet */
  take(frame: Frame): void {
    this.#given -= costOf(frame);
    // The last frame may go beyond what was given.
    if (this.#given < -frameCost(PAYLOAD_SIZE_MAX)) {
      throw new ProtocolError("The client sends more than it was asked for");
    }
    // What was on its way when it was not wanted any more.
    if (this.#isCancelled) return;
    this.#frames.push(frame);
    this.#wake?.();
  }

  /** All has come. */
  end(): void {
    this.#isEnded = true;
    this.#wake?.();
  }

  /** It comes to nothing. What has come before is taken first. */
  fail(failure: unknown): void {
    if (this.#isEnded || this.#hasFailed) return;
    this.#failure = failure;
    this.#hasFailed = true;
    this.#wake?.();
  }

  /** Nothing more is wanted. May be called at any time, any number of times. */
  cancel(): void {
    this.#frames.length = 0;
    if (this.#isEnded || this.#hasFailed || this.#isCancelled) return;
    this.#isCancelled = true;
    this.#owner.cancel();
  }

  #account(cost: number): void {
    this.#taken += cost;
    if (this.#isEnded || this.#taken < this.#window / 2) return;
    // Who has to wait is given more at a time, so that a long way is kept full; what comes faster
    // than it is taken would only wait here.
    const more = this.#hasWaited ? Math.min(this.#window, CREDIT_MAX - this.#window) : 0;
    this.#hasWaited = false;
    this.#window += more;
    this.#given += this.#taken + more;
    this.#owner.give(this.#taken + more);
    this.#taken = 0;
  }
}

function costOf({ type, flags, payload, isRest }: Frame): number {
  if (isRest) return payload.length;
  if (type === FrameKind.DATA) {
    return frameCost((flags & FLAG_ZSTD) === 0 ? payload.length : unpackedSize(payload));
  }
  return type === FrameKind.PAGE ? frameCost(payload.length) : frameCost(0);
}
