/**
 * Connections that take no more than their share of the line.
 *
 * @module
 */

import type { Connection } from "./connection.ts";

/** How fast, and how much at once after a rest. */
export interface Rate {
  /** In the long run. */
  readonly bytesPerSecond: number;
  /** After a rest. */
  readonly burstBytes: number;
}

/** The clock, and how to wait: tests have their own. */
export interface Clock {
  /** Milliseconds since some moment. */
  now(): number;
  sleep(ms: number): Promise<void>;
}

const REAL_CLOCK: Clock = {
  now: () => performance.now(),
  sleep: (ms) => new Promise((resolve) => setTimeout(resolve, ms)),
};

/** A bucket that fills with time and is emptied by bytes; any connections may share it. */
export class RateLimiter {
  readonly #rate: Rate;
  readonly #clock: Clock;
  /** What may pass at once; negative when more than that has passed. */
  #level: number;
  #filledMs: number;

  /** The bucket is full at first. */
  constructor(rate: Rate, clock = REAL_CLOCK) {
    this.#rate = rate;
    this.#clock = clock;
    this.#level = rate.burstBytes;
    this.#filledMs = clock.now();
  }

  /** Waits until bytes before them are paid for, then takes these, however many. */
  async pass(bytes: number): Promise<void> {
    const { bytesPerSecond, burstBytes } = this.#rate;
    const nowMs = this.#clock.now();
    const gained = (nowMs - this.#filledMs) / 1000 * bytesPerSecond;
    this.#level = Math.min(burstBytes, this.#level + gained) - bytes;
    this.#filledMs = nowMs;
    if (this.#level < 0) await this.#clock.sleep(-this.#level / bytesPerSecond * 1000);
  }
}

/** Written at a time, so that a slow line is used evenly. */
const PIECE_SIZE = 65_536;

/** A connection both of whose directions are limited. */
export function limitRate(
  connection: Connection,
  incoming: RateLimiter,
  outgoing: RateLimiter,
): Connection {
  /** Bytes put back have been paid for. */
  let paidBytes = 0;
  return {
    peer: connection.peer,
    closed: connection.closed,
    async read() {
      const bytes = await connection.read();
      if (bytes === undefined) return undefined;
      const unpaid = Math.max(0, bytes.length - paidBytes);
      paidBytes = Math.max(0, paidBytes - bytes.length);
      if (unpaid > 0) await incoming.pass(unpaid);
      return bytes;
    },
    unread(bytes) {
      paidBytes += bytes.length;
      connection.unread(bytes);
    },
    async write(parts) {
      for (const part of parts) {
        for (let start = 0; start < part.length; start += PIECE_SIZE) {
          const piece = part.subarray(start, start + PIECE_SIZE);
          await outgoing.pass(piece.length);
          await connection.write([piece]);
        }
      }
    },
    end: () => connection.end(),
    destroy: () => connection.destroy(),
  };
}
