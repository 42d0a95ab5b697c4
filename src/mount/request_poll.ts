/**
 * Looking for the next request for a moment before a thread sleeps until there is one.
 *
 * Who reads at random, one page after the other, asks again some 10 µs after it was answered. To
 * put a thread to sleep and wake it takes about as long, and the code that it goes on with is then
 * no longer in the processor's caches: together a third of the time of such a request. So a thread
 * that has answered looks for about as long as a sleep costs, and never loses more than it might
 * have won.
 *
 * Only while it pays ({@link PollRule}), and only for one who asks alone: of several who ask, one
 * has its request waiting already, or wants the very processor that looking keeps busy. So one
 * thread of a mount looks at a time. An idle mount does not look at all.
 *
 * @module
 */

import { monotonicNanoseconds } from "#ffi/libc/clock.ts";

/** How long it is looked for a request; one look takes 0.3 µs. */
export const POLL_NS = 20_000;

/** A miss costs the processor about as much time as so many hits save. */
const MISS_COST = 4;
/** Hits that are remembered. */
const CREDIT_MAX = 16;
/** Requests that are waited for asleep when polling has not paid; twice as many each time. */
const PAUSE_MIN = 8;
const PAUSE_MAX = 1024;

/**
 * Decides before which requests a thread polls: as long as the request comes four of five times.
 * Else it stops for a number of requests and tries again; the number doubles each time until there
 * were many hits without a stop.
 */
export class PollRule {
  #credit = 1;
  #pause = PAUSE_MIN;
  /** Requests until the next try. */
  #left = 0;

  /** To be asked once before each request: whether to poll for it. */
  isDue(): boolean {
    if (this.#left === 0) return true;
    this.#left--;
    return false;
  }

  /** The request came that was polled for. */
  hit(): void {
    if (this.#credit < CREDIT_MAX) this.#credit++;
    else this.#pause = PAUSE_MIN;
  }

  /** It did not. */
  miss(): void {
    this.#credit -= MISS_COST;
    if (this.#credit > 0) return;
    this.#credit = 1;
    this.#left = this.#pause;
    this.#pause = Math.min(2 * this.#pause, PAUSE_MAX);
  }
}

/** What the threads of a mount share: one cell, 1 while one of them polls. */
export function createPollMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT);
}

/** The polling of one thread. */
export class RequestPoll {
  readonly #isRequestWaiting: () => boolean;
  readonly #isPolling: Int32Array;
  readonly #clock: () => number;
  readonly #rule = new PollRule();
  /** Thread that the last request came from. */
  #requester = 0;
  /** A request has come while it was polled for. */
  #isFound = false;

  /**
   * @param memory from {@link createPollMemory}
   * @param clock nanoseconds, from any start
   */
  constructor(
    isRequestWaiting: () => boolean,
    memory: SharedArrayBuffer,
    clock: () => number = monotonicNanoseconds,
  ) {
    this.#isRequestWaiting = isRequestWaiting;
    this.#isPolling = new Int32Array(memory);
    this.#clock = clock;
  }

  /**
   * Returns when there is a request, or after a moment. The read that follows may have to sleep all
   * the same: another thread may be faster.
   */
  wait(): void {
    // A request that waits already says nothing of what polling is worth.
    if (!this.#rule.isDue() || this.#isRequestWaiting()) return;
    if (Atomics.compareExchange(this.#isPolling, 0, 0, 1) !== 0) return;
    const endNs = this.#clock() + POLL_NS;
    do {
      this.#isFound = this.#isRequestWaiting();
    } while (!this.#isFound && this.#clock() < endNs);
    Atomics.store(this.#isPolling, 0, 0);
    if (!this.#isFound) this.#rule.miss();
  }

  /** A request was read. @param requester the thread that waits for its answer */
  received(requester: number): void {
    if (this.#isFound) {
      this.#isFound = false;
      if (requester === this.#requester) this.#rule.hit();
      else this.#rule.miss();
    }
    this.#requester = requester;
  }
}
