/**
 * The table of waits of a mount: which threads are in requests that may wait for their source, and
 * which requests wait for a thread. Shared by all threads that serve the mount, and the main
 * isolate.
 *
 * At most so many threads as there are workers that serve may be in such requests at a time; each
 * holds one of the **permits**. As soon as these are all taken and nothing moves, the main isolate
 * (`wait_guard.ts`) calls one more thread, the **reserve**. From then on one thread at least is
 * always free: it puts what would have to wait into the queue, and answers the rest.
 *
 * A request is answered by the one that ends it first: the thread that serves it, or, while that
 * one waits for the source, another thread in its place (an interrupt, the end of its time). The
 * state of the thread decides.
 *
 * @module
 */

import { nativeBufferOf, write } from "#ffi/libc/calls.ts";
import { monotonicNanoseconds } from "#ffi/libc/clock.ts";
import { OutHeader } from "#ffi/libfuse3/kernel.ts";
import { Errno } from "#ffi/os_error.ts";
import { storeAndWake, waitWhile } from "#src/threads/waiting.ts";
import { createPendingMemory, PendingQueue, type PendingRequest } from "./pending_queue.ts";

/** Threads that a mount may have beside its workers. */
export const RESERVE_COUNT = 1;

/**
 * Interrupts that are remembered: one may be read before the request that it is meant for has come
 * to wait.
 */
const INTERRUPT_COUNT = 64;

const Header = {
  PERMITS_TAKEN: 0,
  /** 1 while the main isolate looks often. */
  GUARD_AWAKE: 1,
  DUTY: 2,
  /** Interrupts so far. */
  INTERRUPTS: 3,
  ENDED_BY_INTERRUPT: 4,
  ENDED_BY_TIMEOUT: 5,
  PERMIT_COUNT: 6,
  WORDS: 16,
} as const;

const INTERRUPTS_START = Header.WORDS;
const THREADS_START = INTERRUPTS_START + 2 * INTERRUPT_COUNT;

/**
 * Words of a thread: a cache line of its own. All but the first change only while that says that
 * the thread is idle.
 */
const Thread = {
  /** {@link ThreadState} in the lowest bits, above them a number that changes with every wait. */
  STATE: 0,
  UNIQUE_LOW: 1,
  UNIQUE_HIGH: 2,
  DEVICE_FD: 3,
  OPCODE: 4,
  SINCE_MS: 5,
  /** The kernel's number of the thread; never changes. */
  THREAD_ID: 6,
  WORDS: 16,
} as const;

const STATE_MASK = 3;
const NEXT_WAIT = STATE_MASK + 1;

/** What a thread with a permit does. */
export const ThreadState = {
  /** It has none, or has one and has not waited yet. */
  IDLE: 0,
  RUNNING: 1,
  /** It waits for the source: its request may be ended by others. */
  WAITING: 2,
  /** Its request was ended by others meanwhile. */
  ENDED: 3,
} as const;

/** What the reserve shall do. */
export const Duty = { REST: 0, SERVE: 1, END: 2 } as const;

/** Can be posted to a Worker. */
export interface WaitMemory {
  /** State and times of each thread's wait. */
  readonly threads: SharedArrayBuffer;
  /** Requests that were put off, as the kernel sent them. */
  readonly queue: SharedArrayBuffer;
}

/** Makes the memory of a mount with so many threads, the reserve included. */
export function createWaitMemory(threadCount: number): WaitMemory {
  const words = THREADS_START + threadCount * Thread.WORDS;
  return { threads: new SharedArrayBuffer(words * 4), queue: createPendingMemory() };
}

/** Milliseconds that wrap around after 24 days: only differences count. */
export function monotonicMs(): number {
  return Math.floor(monotonicNanoseconds() / 1e6) | 0;
}

/** One thread's view of the table. */
export class WaitTable {
  readonly queue: PendingQueue;
  readonly threadCount: number;
  readonly #cells: Int32Array<SharedArrayBuffer>;
  readonly #answer = nativeBufferOf(new Uint8Array(OutHeader.SIZE));
  readonly #answerView = new DataView(this.#answer.bytes.buffer);

  constructor(memory: WaitMemory) {
    this.#cells = new Int32Array(memory.threads);
    this.queue = new PendingQueue(memory.queue);
    this.threadCount = (this.#cells.length - THREADS_START) / Thread.WORDS;
  }

  /** Permits that are taken. */
  get permitsTaken(): number {
    return Atomics.load(this.#cells, Header.PERMITS_TAKEN);
  }

  /** Permits that there are. */
  get permitCount(): number {
    return this.#cells[Header.PERMIT_COUNT]!;
  }

  /** A thread other than the reserve serves from now on. */
  addPermits(count: number): void {
    Atomics.add(this.#cells, Header.PERMIT_COUNT, count);
  }

  /** Takes a permit if one is left. @returns how many are taken now; 0 when it got none */
  takePermit(): number {
    for (;;) {
      const taken = Atomics.load(this.#cells, Header.PERMITS_TAKEN);
      if (taken >= this.permitCount) return 0;
      const before = Atomics.compareExchange(this.#cells, Header.PERMITS_TAKEN, taken, taken + 1);
      if (before === taken) return taken + 1;
    }
  }

  returnPermit(): void {
    Atomics.sub(this.#cells, Header.PERMITS_TAKEN, 1);
  }

  /** Whether the caller is the one to wake the guard. */
  becomeAlarm(): boolean {
    return Atomics.load(this.#cells, Header.GUARD_AWAKE) === 0 &&
      Atomics.compareExchange(this.#cells, Header.GUARD_AWAKE, 0, 1) === 0;
  }

  /** The guard looks rarely from now on, unless it is woken. */
  calm(): void {
    Atomics.store(this.#cells, Header.GUARD_AWAKE, 0);
  }

  /** Says which thread of the process the thread `index` is. */
  setThreadId(index: number, threadId: number): void {
    Atomics.store(this.#cells, threadStart(index) + Thread.THREAD_ID, threadId);
  }

  /** The kernel's number of a thread; 0 before it serves. */
  threadIdOf(index: number): number {
    return Atomics.load(this.#cells, threadStart(index) + Thread.THREAD_ID);
  }

  /** What the reserve shall do; see {@link Duty}. */
  get duty(): number {
    return Atomics.load(this.#cells, Header.DUTY);
  }

  set duty(duty: number) {
    storeAndWake(this.#cells, Header.DUTY, duty);
  }

  /** Blocks while the reserve shall rest. */
  rest(): void {
    while (this.duty === Duty.REST) waitWhile(this.#cells, Header.DUTY, Duty.REST);
  }

  /**
   * Says which request the idle thread `index` is in. It stays idle: others read it only
   * after {@link hold} or {@link beginWait}.
   *
   * @param sinceMs when it came, if that was not just now; else 0
   */
  show(
    index: number,
    uniqueLow: number,
    uniqueHigh: number,
    deviceFd: number,
    opcode: number,
    sinceMs: number,
  ): void {
    const cells = this.#cells;
    const start = threadStart(index);
    cells[start + Thread.UNIQUE_LOW] = uniqueLow;
    cells[start + Thread.UNIQUE_HIGH] = uniqueHigh;
    cells[start + Thread.DEVICE_FD] = deviceFd;
    cells[start + Thread.OPCODE] = opcode;
    cells[start + Thread.SINCE_MS] = sinceMs;
  }

  /** Shows others that the thread has a permit, though it does not wait. */
  hold(index: number): void {
    const cell = threadStart(index) + Thread.STATE;
    const word = this.#cells[cell]! & ~STATE_MASK;
    Atomics.store(this.#cells, cell, word | ThreadState.RUNNING);
  }

  /** A wait begins. @returns false when the request was ended by others before */
  beginWait(index: number): boolean {
    const cell = threadStart(index) + Thread.STATE;
    // Nobody else changes it but in a wait, and that is over.
    const word = this.#cells[cell]!;
    if ((word & STATE_MASK) === ThreadState.ENDED) return false;
    const next = (word & ~STATE_MASK) + NEXT_WAIT;
    Atomics.store(this.#cells, cell, next | ThreadState.WAITING);
    return true;
  }

  /** A wait is over. @returns false when the request was ended by others meanwhile */
  endWait(index: number): boolean {
    const cell = threadStart(index) + Thread.STATE;
    const word = Atomics.load(this.#cells, cell);
    if ((word & STATE_MASK) !== ThreadState.WAITING) return false;
    const next = (word & ~STATE_MASK) | ThreadState.RUNNING;
    return Atomics.compareExchange(this.#cells, cell, word, next) === word;
  }

  /** The request is over. @returns whether it was ended, and so answered, by others */
  clear(index: number): boolean {
    const cell = threadStart(index) + Thread.STATE;
    const word = this.#cells[cell]!;
    // Others may see it a moment later.
    this.#cells[cell] = (word & ~STATE_MASK) | ThreadState.IDLE;
    return (word & STATE_MASK) === ThreadState.ENDED;
  }

  /**
   * A number that stays the same only while a thread is in one and the same wait, or does not wait.
   */
  momentOf(index: number): number {
    return Atomics.load(this.#cells, threadStart(index) + Thread.STATE);
  }

  /** What a thread does; see {@link ThreadState}. */
  stateOf(index: number): number {
    return this.momentOf(index) & STATE_MASK;
  }

  /** The request that a thread is in; old where it is in none. */
  requestOf(index: number): PendingRequest {
    const start = threadStart(index);
    const at = (word: number) => Atomics.load(this.#cells, start + word);
    return {
      uniqueLow: at(Thread.UNIQUE_LOW) >>> 0,
      uniqueHigh: at(Thread.UNIQUE_HIGH) >>> 0,
      deviceFd: at(Thread.DEVICE_FD),
      opcode: at(Thread.OPCODE),
      sinceMs: at(Thread.SINCE_MS),
    };
  }

  /** Interrupts so far: what {@link wasInterrupted} knows changes with it. */
  get interruptCount(): number {
    return Atomics.load(this.#cells, Header.INTERRUPTS);
  }

  /** Whether an interrupt for that request came, not long ago. */
  wasInterrupted(uniqueLow: number, uniqueHigh: number): boolean {
    const cells = this.#cells;
    const low = uniqueLow | 0;
    const high = uniqueHigh | 0;
    for (let each = INTERRUPTS_START; each < THREADS_START; each += 2) {
      if (cells[each] === low && cells[each + 1] === high) return true;
    }
    return false;
  }

  /**
   * Ends the request with that id with EINTR, if it waits; remembers the interrupt if it does not
   * wait yet.
   */
  interrupt(uniqueLow: number, uniqueHigh: number): void {
    const cells = this.#cells;
    // Remembered before it is looked for: a thread that begins to wait looks here after it has said
    // so.
    const place = INTERRUPTS_START + 2 * (Atomics.load(cells, Header.INTERRUPTS) % INTERRUPT_COUNT);
    Atomics.store(cells, place, uniqueLow);
    Atomics.store(cells, place + 1, uniqueHigh);
    Atomics.add(cells, Header.INTERRUPTS, 1);
    const pending = this.queue.remove(uniqueLow, uniqueHigh);
    if (pending !== undefined) {
      this.#end(pending, Errno.EINTR);
      return;
    }
    for (let index = 0; index < this.threadCount; index++) {
      this.endWaiting(
        index,
        Errno.EINTR,
        (request) => request.uniqueLow === uniqueLow && request.uniqueHigh === uniqueHigh,
      );
    }
  }

  /**
   * Ends a request that came at `untilMs` or before and waits for a thread, with EIO. @returns what
   * it was
   */
  endOld(untilMs: number): PendingRequest | undefined {
    const pending = this.queue.removeOld(untilMs);
    if (pending !== undefined) this.#end(pending, Errno.EIO);
    return pending;
  }

  /**
   * Ends the request that a thread waits in.
   *
   * @param errno EINTR or EIO
   * @param isMeant whether it is that one; not called for a thread's own tasks, which have no
   *   requester
   * @returns the request if it was ended
   */
  endWaiting(
    index: number,
    errno: number,
    isMeant: (request: PendingRequest) => boolean,
  ): PendingRequest | undefined {
    const cell = threadStart(index) + Thread.STATE;
    const word = Atomics.load(this.#cells, cell);
    if ((word & STATE_MASK) !== ThreadState.WAITING) return undefined;
    const request = this.requestOf(index);
    if (request.uniqueLow === 0 && request.uniqueHigh === 0) return undefined;
    if (!isMeant(request)) return undefined;
    // It is still the same wait if this succeeds, and so the same request.
    const next = (word & ~STATE_MASK) | ThreadState.ENDED;
    if (Atomics.compareExchange(this.#cells, cell, word, next) !== word) return undefined;
    this.#end(request, errno);
    return request;
  }

  /** Requests ended so far. */
  get ended(): { readonly interrupted: number; readonly timedOut: number } {
    return {
      interrupted: Atomics.load(this.#cells, Header.ENDED_BY_INTERRUPT),
      timedOut: Atomics.load(this.#cells, Header.ENDED_BY_TIMEOUT),
    };
  }

  /** Answers with an error. A failure is ignored: then the requester or the mount is gone. */
  #end({ uniqueLow, uniqueHigh, deviceFd }: PendingRequest, errno: number): void {
    const view = this.#answerView;
    view.setUint32(OutHeader.LEN, OutHeader.SIZE, true);
    view.setInt32(OutHeader.ERROR, -errno, true);
    view.setUint32(OutHeader.UNIQUE, uniqueLow, true);
    view.setUint32(OutHeader.UNIQUE + 4, uniqueHigh, true);
    const cell = errno === Errno.EINTR ? Header.ENDED_BY_INTERRUPT : Header.ENDED_BY_TIMEOUT;
    // Counted first: the requester may read the statistics as soon as it has the answer.
    Atomics.add(this.#cells, cell, 1);
    write(deviceFd, this.#answer.address, BigInt(OutHeader.SIZE));
  }
}

function threadStart(index: number): number {
  return THREADS_START + index * Thread.WORDS;
}
