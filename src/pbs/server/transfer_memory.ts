/**
 * Memory for what is on its way between clients and the disk. Who gets none waits, and a client
 * that is not read from waits, too.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { BufferStock } from "./buffer_stock.ts";

/** Of all sessions together. A chunk of the reference's size has at most 16 MiB. */
const TOTAL_BYTES = 48 << 20;
/** Of one session, so that no client leaves the others without. */
const SHARE_BYTES = 24 << 20;

interface Waiting {
  readonly share: MemoryShare;
  readonly size: number;
  /** @param isAdmitted false when its session is over */
  readonly resolve: (isAdmitted: boolean) => void;
}

/** What all sessions of a server share. */
export class TransferMemory {
  /** Where uploads have their buffers from. */
  readonly buffers = new BufferStock();
  #freeBytes: number;
  #waiting: Waiting[] = [];

  constructor(totalBytes = TOTAL_BYTES) {
    this.#freeBytes = totalBytes;
  }

  /** The part of one session. */
  share(maxBytes = SHARE_BYTES): MemoryShare {
    return new MemoryShare(this, maxBytes);
  }

  /** Only for {@link MemoryShare}. */
  take(share: MemoryShare, size: number): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#waiting.push({ share, size, resolve });
    this.#admit();
    return promise;
  }

  /** Only for {@link MemoryShare}. */
  giveBack(size: number): void {
    this.#freeBytes += size;
    this.#admit();
  }

  /** Only for {@link MemoryShare}: nobody waits any more. */
  leave(share: MemoryShare): void {
    const left = this.#waiting.filter((waiting) => waiting.share === share);
    this.#waiting = this.#waiting.filter((waiting) => waiting.share !== share);
    for (const { resolve } of left) resolve(false);
  }

  /** In turn, but past those whose session has its part. */
  #admit(): void {
    const left: Waiting[] = [];
    let isBlocked = false;
    for (const waiting of this.#waiting) {
      const { share, size, resolve } = waiting;
      if (isBlocked || !share.hasRoom(size)) left.push(waiting);
      else if (size > this.#freeBytes) {
        isBlocked = true;
        left.push(waiting);
      } else {
        this.#freeBytes -= size;
        share.usedBytes += size;
        resolve(true);
      }
    }
    this.#waiting = left;
  }
}

/** Memory of one session. */
export class MemoryShare {
  /** What is in use. */
  usedBytes = 0;
  readonly #memory: TransferMemory;
  readonly #maxBytes: number;
  #isClosed = false;

  /** Where uploads have their buffers from. */
  get buffers(): BufferStock {
    return this.#memory.buffers;
  }

  /** See {@link TransferMemory.share}. */
  constructor(memory: TransferMemory, maxBytes: number) {
    this.#memory = memory;
    this.#maxBytes = maxBytes;
  }

  /** Whether so many bytes more belong to its part; one piece always does. */
  hasRoom(size: number): boolean {
    return this.usedBytes === 0 || this.usedBytes + size <= this.#maxBytes;
  }

  /**
   * Waits for `size` bytes, at most those of the largest chunk.
   *
   * @returns what gives them back; the second time does nothing
   * @throws {StateError} `stopped` when the session is closed
   */
  async take(size: number): Promise<() => void> {
    if (this.#isClosed || !await this.#memory.take(this, size)) {
      throw new StateError("stopped", "Cannot go on: the connection is closed");
    }
    let isHeld = true;
    return () => {
      // With its session everything was given back.
      if (!isHeld || this.#isClosed) return;
      isHeld = false;
      this.usedBytes -= size;
      this.#memory.giveBack(size);
    };
  }

  /** {@link take} for an answer: given back, too, when nobody waits for that any more. */
  async takeFor(signal: AbortSignal, size: number): Promise<() => void> {
    const giveBack = await this.take(size);
    signal.addEventListener("abort", giveBack, { once: true });
    if (signal.aborted) giveBack();
    return giveBack;
  }

  /** The session is over: nobody waits any more, and everything is given back. */
  close(): void {
    if (this.#isClosed) return;
    this.#isClosed = true;
    this.#memory.leave(this);
    this.#memory.giveBack(this.usedBytes);
  }
}
