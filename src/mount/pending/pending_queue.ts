/**
 * Requests that wait for a thread that may wait for their source: kept as the kernel sent them, in
 * shared memory, in order.
 *
 * A thread that has the last right to be free puts them here instead of serving them; whichever
 * thread may wait next takes the oldest. Who gives up waiting is taken out and answered at once.
 *
 * @module
 */

import { Opcode } from "#ffi/libfuse3/kernel.ts";
import { StateError } from "#src/errors.ts";
import { acquireLock, releaseLock } from "#src/threads/lock.ts";

/** A READ takes one block, a WRITE of a database page nine. */
const BLOCK_SIZE = 1024;
/** Space for 16,384 small requests, or 16 of the largest. Only what was used takes memory. */
export const BLOCK_COUNT = 16_384;

/** Nobody holds the lock for longer than it takes to copy a request. */
const LOCK_TIMEOUT_MS = 60_000;

const Header = {
  LOCK: 0,
  /** Requests in the queue; also read without the lock. */
  COUNT: 1,
  /** Blocks by their number + 1, 0 for none, here and in all that links them. */
  OLDEST: 2,
  NEWEST: 3,
  FREE: 4,
  /** Blocks from here on were never used. */
  FRESH: 5,
  WORDS: 16,
} as const;

/**
 * Words of each block. The others than {@link Word.NEXT_BLOCK} are those of a request, in its first
 * block.
 */
const Word = {
  NEXT_BLOCK: 0,
  NEXT_REQUEST: 1,
  UNIQUE_LOW: 2,
  UNIQUE_HIGH: 3,
  DEVICE_FD: 4,
  SIZE: 5,
  SINCE_MS: 6,
  OPCODE: 7,
  COUNT: 8,
} as const;

const WORDS_OFFSET = Header.WORDS * 4;
const BYTES_OFFSET = WORDS_OFFSET + BLOCK_COUNT * Word.COUNT * 4;

/**
 * Requests that the kernel expects no answer to, or that must not fail: they are always
 * served.
 */
const ALWAYS_SERVED: ReadonlySet<number> = new Set([
  Opcode.FORGET,
  Opcode.BATCH_FORGET,
  Opcode.RELEASE,
  Opcode.RELEASEDIR,
]);

/** A request, as far as it is needed to answer it. */
export interface PendingRequest {
  readonly uniqueLow: number;
  readonly uniqueHigh: number;
  /** The kernel takes the answer only by the descriptor that gave the request. */
  readonly deviceFd: number;
  readonly opcode: number;
  /** Time of its arrival, in milliseconds of {@link monotonicMs}. */
  readonly sinceMs: number;
}

/** Makes the memory of an empty queue. */
export function createPendingMemory(): SharedArrayBuffer {
  return new SharedArrayBuffer(BYTES_OFFSET + BLOCK_COUNT * BLOCK_SIZE);
}

/** One thread's access to the queue. */
export class PendingQueue {
  readonly #header: Int32Array<SharedArrayBuffer>;
  readonly #words: Int32Array<SharedArrayBuffer>;
  readonly #bytes: Uint8Array<SharedArrayBuffer>;

  constructor(memory: SharedArrayBuffer) {
    this.#header = new Int32Array(memory, 0, Header.WORDS);
    this.#words = new Int32Array(memory, WORDS_OFFSET, BLOCK_COUNT * Word.COUNT);
    this.#bytes = new Uint8Array(memory, BYTES_OFFSET, BLOCK_COUNT * BLOCK_SIZE);
  }

  /** Requests that wait here. */
  get count(): number {
    return Atomics.load(this.#header, Header.COUNT);
  }

  /**
   * Adds a request.
   *
   * @param bytes the first `size` of them are the request
   * @returns false when there is no room for it
   */
  put(bytes: Uint8Array, size: number, request: PendingRequest): boolean {
    return this.#locked(() => {
      const first = this.#store(bytes, size);
      if (first === 0) return false;
      this.#set(first, Word.UNIQUE_LOW, request.uniqueLow);
      this.#set(first, Word.UNIQUE_HIGH, request.uniqueHigh);
      this.#set(first, Word.DEVICE_FD, request.deviceFd);
      this.#set(first, Word.SIZE, size);
      this.#set(first, Word.SINCE_MS, request.sinceMs);
      this.#set(first, Word.OPCODE, request.opcode);
      this.#set(first, Word.NEXT_REQUEST, 0);
      const newest = this.#header[Header.NEWEST]!;
      if (newest === 0) this.#header[Header.OLDEST] = first;
      else this.#set(newest, Word.NEXT_REQUEST, first);
      this.#header[Header.NEWEST] = first;
      Atomics.add(this.#header, Header.COUNT, 1);
      return true;
    });
  }

  /**
   * Takes the oldest request out. @param target gets its bytes @returns undefined when there is
   * none
   */
  take(target: Uint8Array): PendingRequest & { readonly size: number } | undefined {
    return this.#locked(() => {
      const first = this.#header[Header.OLDEST]!;
      if (first === 0) return undefined;
      const size = this.#get(first, Word.SIZE);
      for (let block = first, done = 0; done < size; block = this.#get(block, Word.NEXT_BLOCK)) {
        const count = Math.min(BLOCK_SIZE, size - done);
        const start = (block - 1) * BLOCK_SIZE;
        target.set(this.#bytes.subarray(start, start + count), done);
        done += count;
      }
      const request = this.#describe(first);
      this.#remove(first, 0);
      return { ...request, size };
    });
  }

  /** Takes the request with that id out, if it is here and may fail. */
  remove(uniqueLow: number, uniqueHigh: number): PendingRequest | undefined {
    return this.#removeWhere((first) =>
      this.#get(first, Word.UNIQUE_LOW) === (uniqueLow | 0) &&
      this.#get(first, Word.UNIQUE_HIGH) === (uniqueHigh | 0)
    );
  }

  /** Takes a request out that came at `untilMs` or before, and may fail. */
  removeOld(untilMs: number): PendingRequest | undefined {
    return this.#removeWhere((first) => ((this.#get(first, Word.SINCE_MS) - untilMs) | 0) <= 0);
  }

  /** What waits here, oldest first. */
  list(): PendingRequest[] {
    return this.#locked(() => {
      const requests: PendingRequest[] = [];
      let first = this.#header[Header.OLDEST]!;
      for (; first !== 0; first = this.#get(first, Word.NEXT_REQUEST)) {
        requests.push(this.#describe(first));
      }
      return requests;
    });
  }

  #removeWhere(isMeant: (first: number) => boolean): PendingRequest | undefined {
    if (this.count === 0) return undefined;
    return this.#locked(() => {
      let before = 0;
      let first = this.#header[Header.OLDEST]!;
      for (; first !== 0; first = this.#get(first, Word.NEXT_REQUEST)) {
        if (!ALWAYS_SERVED.has(this.#get(first, Word.OPCODE)) && isMeant(first)) {
          const request = this.#describe(first);
          this.#remove(first, before);
          return request;
        }
        before = first;
      }
      return undefined;
    });
  }

  #describe(first: number): PendingRequest {
    return {
      uniqueLow: this.#get(first, Word.UNIQUE_LOW) >>> 0,
      uniqueHigh: this.#get(first, Word.UNIQUE_HIGH) >>> 0,
      deviceFd: this.#get(first, Word.DEVICE_FD),
      opcode: this.#get(first, Word.OPCODE),
      sinceMs: this.#get(first, Word.SINCE_MS),
    };
  }

  /** Copies a request to free blocks. @returns the first of them, 0 when there are not enough */
  #store(bytes: Uint8Array, size: number): number {
    let first = 0;
    let last = 0;
    for (let done = 0; done < size; done += BLOCK_SIZE) {
      const block = this.#allocate();
      if (block === 0) {
        if (first !== 0) this.#free(first);
        return 0;
      }
      const count = Math.min(BLOCK_SIZE, size - done);
      this.#bytes.set(bytes.subarray(done, done + count), (block - 1) * BLOCK_SIZE);
      this.#set(block, Word.NEXT_BLOCK, 0);
      if (first === 0) first = block;
      else this.#set(last, Word.NEXT_BLOCK, block);
      last = block;
    }
    return first;
  }

  #allocate(): number {
    const free = this.#header[Header.FREE]!;
    if (free !== 0) {
      this.#header[Header.FREE] = this.#get(free, Word.NEXT_BLOCK);
      return free;
    }
    if (this.#header[Header.FRESH]! >= BLOCK_COUNT) return 0;
    return ++this.#header[Header.FRESH]!;
  }

  /** Frees a request's blocks. */
  #free(first: number): void {
    let last = first;
    for (let next = first; next !== 0; next = this.#get(next, Word.NEXT_BLOCK)) last = next;
    this.#set(last, Word.NEXT_BLOCK, this.#header[Header.FREE]!);
    this.#header[Header.FREE] = first;
  }

  #remove(first: number, before: number): void {
    const next = this.#get(first, Word.NEXT_REQUEST);
    if (before === 0) this.#header[Header.OLDEST] = next;
    else this.#set(before, Word.NEXT_REQUEST, next);
    if (next === 0) this.#header[Header.NEWEST] = before;
    this.#free(first);
    Atomics.sub(this.#header, Header.COUNT, 1);
  }

  #get(block: number, word: number): number {
    return this.#words[(block - 1) * Word.COUNT + word]!;
  }

  #set(block: number, word: number, value: number): void {
    this.#words[(block - 1) * Word.COUNT + word] = value;
  }

  #locked<Result>(run: () => Result): Result {
    if (!acquireLock(this.#header, Header.LOCK, LOCK_TIMEOUT_MS)) {
      throw new StateError("timeout", "Cannot reach pending requests: a thread does not let go");
    }
    try {
      return run();
    } finally {
      releaseLock(this.#header, Header.LOCK);
    }
  }
}
