/**
 * Calls to a thread with an event loop from threads that block: the caller puts a request into
 * memory that they share, sleeps, and takes the answer out.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { parseFailure } from "../failure_text.ts";
import { addAndWake, waitWhile } from "../waiting.ts";
import { Cell, Life, MailSlots, MailState, threadEnded } from "./slots.ts";

/** A thread without a sign of life for so long has ended, or hangs. It gives one every 250 ms. */
const SILENCE_MAX_MS = 30_000;
/** One look at whether the thread still lives. */
const LOOK_MS = 1_000;
/** The place of urgent calls. */
const URGENT_SLOT = 0;

/** How one call is made. */
export interface MailCall {
  /** Bytes that go with the request. */
  readonly payload?: Uint8Array;
  /** For the whole answer; a process that is stopped meanwhile loses nothing of it. */
  readonly timeoutMs: number;
  /** Is given the bytes of the answer, in parts where they are many. Valid during the call. */
  readonly take?: (part: Uint8Array<SharedArrayBuffer>) => void;
  /** Is asked several times a second, and throws to give the call up. */
  readonly throwIfStopped?: (() => void) | undefined;
  /**
   * Whether it has a place of its own, since it ends what has all the others. To be answered at
   * once.
   */
  readonly isUrgent?: boolean;
}

/** An answer whose bytes stay where they are. */
export interface HeldAnswer {
  /** Plain values. */
  readonly value: unknown;
  /** Bytes of the answer, until they are released. */
  readonly bytes: Uint8Array<SharedArrayBuffer>;
  /** Gives the place back. */
  release(): void;
}

/** One thread's way to the thread that answers. Any number of threads have one. */
export class Mailbox {
  readonly #slots: MailSlots;
  readonly #silenceMaxMs: number;

  /**
   * @param shared what `createMailbox()` made
   * @param silenceMaxMs after so long without a sign of life of the thread a call fails.
   *   Default: 30,000
   */
  constructor(shared: SharedArrayBuffer, silenceMaxMs = SILENCE_MAX_MS) {
    this.#slots = new MailSlots(shared);
    this.#silenceMaxMs = silenceMaxMs;
  }

  /** What other threads make a view of. */
  get shared(): SharedArrayBuffer {
    return this.#slots.shared;
  }

  /**
   * Asks, and waits for the answer.
   *
   * @param request plain values
   * @throws what the thread that answers has thrown; {@link StateError} `timeout` when the time is
   *   over; {@link ProtocolError} `thread-ended` when the thread does not live any more
   */
  call(request: unknown, call: MailCall): unknown {
    const wait = new Wait(this.#slots, call, this.#silenceMaxMs);
    const slot = this.#claim(wait, call.isUrgent === true);
    try {
      this.#post(slot, request, call.payload, true);
      return this.#awaitAnswer(slot, wait, call.take);
    } finally {
      this.#giveBack(slot);
    }
  }

  /**
   * As {@link call}, for an answer in one part whose bytes need not be copied: its place is in use
   * until it is released.
   */
  hold(request: unknown, call: Omit<MailCall, "take">): HeldAnswer {
    const wait = new Wait(this.#slots, call, this.#silenceMaxMs);
    const slot = this.#claim(wait, call.isUrgent === true);
    try {
      this.#post(slot, request, call.payload, true);
      const value = this.#awaitAnswer(slot, wait, undefined);
      const bytes = this.#slots.payloadOf(slot);
      return { value, bytes, release: () => this.#slots.free(slot) };
    } catch (error) {
      this.#giveBack(slot);
      throw error;
    }
  }

  /**
   * Asks for something that nobody waits for, and whose failure does not matter.
   *
   * @returns false when all places are in use: nothing was asked
   */
  post(request: unknown): boolean {
    const slot = this.#claimFree();
    if (slot < 0) return false;
    try {
      this.#post(slot, request, undefined, false);
      return true;
    } catch (error) {
      this.#slots.free(slot);
      throw error;
    }
  }

  /** Tells the thread to end when it has nothing in hand. Calls that come later fail. */
  stop(): void {
    const { cells } = this.#slots;
    for (const life of [Life.STARTING, Life.ANSWERING]) {
      Atomics.compareExchange(cells, Cell.LIFE, life, Life.STOPPING);
    }
    addAndWake(cells, Cell.CALL, 1);
  }

  #claim(wait: Wait, isUrgent: boolean): number {
    for (;;) {
      const freed = Atomics.load(this.#slots.cells, Cell.FREED);
      const slot = isUrgent ? this.#claimOne(URGENT_SLOT) : this.#claimFree();
      if (slot >= 0) return slot;
      wait.sleep(Cell.FREED, freed);
    }
  }

  #claimFree(): number {
    for (let slot = URGENT_SLOT + 1; slot < this.#slots.count; slot++) {
      if (this.#claimOne(slot) >= 0) return slot;
    }
    return -1;
  }

  #claimOne(slot: number): number {
    return this.#slots.change(slot, MailState.FREE, MailState.CLAIMED) ? slot : -1;
  }

  #post(slot: number, request: unknown, payload: Uint8Array = NOTHING, wantsAnswer: boolean): void {
    const slots = this.#slots;
    slots.write(slot, JSON.stringify(request), payload);
    slots.setWantsAnswer(slot, wantsAnswer);
    slots.change(slot, MailState.CLAIMED, MailState.POSTED);
    addAndWake(slots.cells, Cell.CALL, 1);
  }

  #awaitAnswer(slot: number, wait: Wait, take: MailCall["take"]): unknown {
    const slots = this.#slots;
    for (;;) {
      const state = slots.stateOf(slot);
      switch (state) {
        case MailState.PART:
          take?.(slots.payloadOf(slot));
          slots.change(slot, MailState.PART, MailState.TAKEN);
          wait.restart();
          break;
        case MailState.ANSWERED:
          take?.(slots.payloadOf(slot));
          return JSON.parse(slots.textOf(slot));
        case MailState.FAILED:
          throw parseFailure(slots.textOf(slot));
        default:
          wait.sleep(slots.stateCell(slot), state);
      }
    }
  }

  /** A slot that the other thread is at, that thread gives back when it notices. */
  #giveBack(slot: number): void {
    const slots = this.#slots;
    for (const state of [MailState.POSTED, MailState.TAKEN, MailState.PART]) {
      if (!slots.change(slot, state, MailState.ABANDONED)) continue;
      addAndWake(slots.cells, Cell.CALL, 1);
      return;
    }
    slots.free(slot);
  }
}

const NOTHING = new Uint8Array(0);

/** The waiting of one call, in sleeps: a clock would go on while the process is stopped. */
class Wait {
  readonly #slots: MailSlots;
  readonly #call: MailCall;
  readonly #silenceMaxMs: number;
  #leftMs: number;
  #beat: number;
  #silentMs = 0;

  constructor(slots: MailSlots, call: MailCall, silenceMaxMs: number) {
    this.#slots = slots;
    this.#call = call;
    this.#silenceMaxMs = silenceMaxMs;
    this.#leftMs = call.timeoutMs;
    this.#beat = this.#lastBeat();
  }

  /** The time begins anew: something was answered. */
  restart(): void {
    this.#leftMs = this.#call.timeoutMs;
  }

  /** Sleeps a while at most, as long as a cell has a value. @throws when it is in vain */
  sleep(cell: number, value: number): void {
    const { cells } = this.#slots;
    const life = Atomics.load(cells, Cell.LIFE);
    if (life === Life.STOPPING || life === Life.ENDED) throw threadEnded("has ended");
    const timeMs = Math.min(this.#leftMs, LOOK_MS, this.#silenceMaxMs);
    if (waitWhile(cells, cell, value, timeMs, this.#call.throwIfStopped)) return;
    const beat = this.#lastBeat();
    this.#silentMs = beat === this.#beat ? this.#silentMs + timeMs : 0;
    this.#beat = beat;
    if (this.#silentMs >= this.#silenceMaxMs) throw threadEnded("gives no sign of life");
    this.#leftMs -= timeMs;
    if (this.#leftMs > 0) return;
    const seconds = Math.round(this.#call.timeoutMs / 1000);
    throw new StateError("timeout", `Cannot go on: there was no answer in ${seconds} seconds`);
  }

  #lastBeat(): number {
    return Atomics.load(this.#slots.cells, Cell.BEAT);
  }
}
