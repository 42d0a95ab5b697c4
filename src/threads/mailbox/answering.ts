/**
 * The thread that answers the calls of a mailbox: its event loop goes on all the time, and any
 * number of requests may be in hand.
 *
 * @module
 */

import { formatFailure } from "../failure_text.ts";
import { addAndWake, storeAndWake } from "../waiting.ts";
import { Cell, Life, MailSlots, MailState, threadEnded } from "./slots.ts";

/** How often callers are told that this thread lives. */
const BEAT_MS = 250;

/** A request in hand. */
export interface MailRequest {
  /** What the caller said. */
  readonly request: unknown;
  /** The bytes that came with it. Whoever writes to {@link room} has copied them. */
  readonly payload: Uint8Array<SharedArrayBuffer>;
  /** Where bytes of the answer are put, from its start on. */
  readonly room: Uint8Array<SharedArrayBuffer>;
  /** Aborted when the caller waits no more. */
  readonly signal: AbortSignal;
  /**
   * Hands a part of the answer over, the first `size` bytes of {@link room}, and waits until the
   * caller has taken it: the room may be used again then.
   *
   * @throws {DOMException} `AbortError` when the caller waits no more
   */
  part(size: number): Promise<void>;
}

/** What is answered. */
export interface MailAnswer {
  /** Plain values. Default: nothing. */
  readonly value?: unknown;
  /** Bytes at the start of {@link MailRequest.room}. Default: 0. */
  readonly size?: number;
}

/** Answers one request. What it throws is thrown to the caller. */
export type MailHandler = (mail: MailRequest) => Promise<MailAnswer>;

/**
 * Answers until the mailbox is stopped. Requests in hand are aborted then.
 *
 * @returns when none is in hand any more
 */
export async function answerMail(shared: SharedArrayBuffer, handle: MailHandler): Promise<void> {
  const answering = new Answering(new MailSlots(shared), handle);
  await answering.run();
}

class Answering {
  readonly #slots: MailSlots;
  readonly #handle: MailHandler;
  readonly #inHand = new Map<number, { readonly abort: AbortController; done: Promise<void> }>();

  constructor(slots: MailSlots, handle: MailHandler) {
    this.#slots = slots;
    this.#handle = handle;
  }

  async run(): Promise<void> {
    const { cells } = this.#slots;
    Atomics.compareExchange(cells, Cell.LIFE, Life.STARTING, Life.ANSWERING);
    const timer = setInterval(() => Atomics.add(cells, Cell.BEAT, 1), BEAT_MS);
    try {
      for (;;) {
        const call = Atomics.load(cells, Cell.CALL);
        if (Atomics.load(cells, Cell.LIFE) !== Life.ANSWERING) break;
        this.#look();
        const { async, value } = Atomics.waitAsync(cells, Cell.CALL, call);
        if (async) await value;
      }
    } finally {
      for (const { abort } of this.#inHand.values()) abort.abort();
      await Promise.all([...this.#inHand.values()].map(({ done }) => done));
      clearInterval(timer);
      this.#end();
    }
  }

  /** Nobody waits for a thread that has ended. */
  #end(): void {
    const { cells, count } = this.#slots;
    storeAndWake(cells, Cell.LIFE, Life.ENDED);
    for (let slot = 0; slot < count; slot++) Atomics.notify(cells, this.#slots.stateCell(slot));
    addAndWake(cells, Cell.FREED, 1);
  }

  #look(): void {
    const slots = this.#slots;
    for (let slot = 0; slot < slots.count; slot++) {
      if (slots.change(slot, MailState.POSTED, MailState.TAKEN)) this.#take(slot);
      else if (slots.stateOf(slot) === MailState.ABANDONED) {
        const inHand = this.#inHand.get(slot);
        if (inHand === undefined) slots.free(slot);
        else inHand.abort.abort();
      }
    }
  }

  #take(slot: number): void {
    const abort = new AbortController();
    const entry = { abort, done: Promise.resolve() };
    this.#inHand.set(slot, entry);
    entry.done = this.#answer(slot, abort.signal);
  }

  async #answer(slot: number, signal: AbortSignal): Promise<void> {
    const slots = this.#slots;
    let state: number = MailState.ANSWERED;
    try {
      const { value = null, size = 0 } = await this.#handle({
        request: JSON.parse(slots.textOf(slot)),
        payload: slots.payloadOf(slot),
        room: slots.area(slot),
        signal,
        part: (partSize) => this.#handOver(slot, partSize, signal),
      });
      slots.write(slot, JSON.stringify(value), size);
    } catch (error) {
      // Whatever comes of having been told to stop.
      const failure = signal.aborted ? threadEnded("has ended") : error;
      slots.write(slot, formatFailure(failure), 0);
      state = MailState.FAILED;
    }
    // Before anybody can post the next one there.
    this.#inHand.delete(slot);
    const isWanted = slots.wantsAnswer(slot) && slots.change(slot, MailState.TAKEN, state);
    if (!isWanted) slots.free(slot);
  }

  async #handOver(slot: number, size: number, signal: AbortSignal): Promise<void> {
    const slots = this.#slots;
    slots.write(slot, "", size);
    slots.change(slot, MailState.TAKEN, MailState.PART);
    while (slots.stateOf(slot) === MailState.PART) {
      const cell = slots.stateCell(slot);
      // Whoever aborts does not change the cell.
      const { async, value } = Atomics.waitAsync(slots.cells, cell, MailState.PART, BEAT_MS);
      if (async) await value;
      signal.throwIfAborted();
    }
    if (slots.stateOf(slot) !== MailState.ABANDONED) return;
    throw new DOMException("The caller waits no more", "AbortError");
  }
}
