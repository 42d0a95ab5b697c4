/**
 * The workers of one mount, seen from the main isolate.
 *
 * A mount answers as soon as one worker serves. The others are started after that: starting one
 * blocks the main isolate for 10 ms and takes 50 ms of processor time, which must not delay the
 * mount. A worker that cannot start is reported; the mount goes on with those that could. One more,
 * the reserve, is started when all others wait for the source (`pending/wait_table.ts`).
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import { threadName, threadsFrom } from "#src/threads/thread.ts";
import { WaitGuard, type WaitListeners, type WaitReport } from "./pending/wait_guard.ts";
import { createWaitMemory, RESERVE_COUNT, WaitTable } from "./pending/wait_table.ts";
import { createPollMemory } from "./request_poll.ts";
import {
  FUSE_ROLE,
  type StartMessage,
  stateCell,
  type WorkerMessage,
  WorkerState,
} from "./worker_protocol.ts";

/** What all workers are started with. */
export type CommonStart = Omit<
  StartMessage,
  "index" | "workerCount" | "states" | "polling" | "waits"
>;

/** Callbacks for what workers report. */
export interface PoolListeners extends WaitListeners {
  /** Receives failures of requests and of workers, for the log. */
  readonly onFailure?: ((message: string) => void) | undefined;
  /** Called once, when a change was refused because the file system beneath is read-only. */
  readonly onReadOnly?: (() => void) | undefined;
  /**
   * Called once, when a worker has seen that the mount is gone: others may wait for the source, and
   * nobody for them.
   */
  readonly onGone?: (() => void) | undefined;
}

/** A thread of the pool: a `Worker`, or one that another thread has started. */
export type PoolWorker = Pick<Worker, "onmessage" | "onerror" | "postMessage" | "terminate">;

/** Gets a thread with a name from whoever starts it for the pool. */
export type BorrowWorker = (name: string) => PoolWorker;

/** Where the threads of a pool come from, and when. */
export interface WorkerOrigin {
  /** The module of a worker. */
  readonly url: string;
  /** Default: the pool starts its threads. The reserve it always does: nobody is waited for. */
  readonly borrow?: BorrowWorker | undefined;
  /** How long after the first one serves the others are started, in milliseconds. Default: 0. */
  readonly othersAfterMs?: number | undefined;
}

/** How often the shared states are looked at, in case a message got lost. */
const POLL_MS = 500;

/** How often it is looked whether a worker still preloads, and how long at most. */
const PRELOAD_POLL_MS = 1;
const PRELOAD_TIMEOUT_MS = 1000;

/** Starts workers and follows what becomes of them. */
export class WorkerPool {
  /** Workers besides the reserve, which is started when others are stuck. */
  readonly workerCount: number;
  readonly #origin: WorkerOrigin;
  readonly #listeners: PoolListeners;
  readonly #states: Int32Array<SharedArrayBuffer>;
  readonly #workers: PoolWorker[] = [];
  #reserve: PoolWorker | undefined;
  #isReserveServing = false;
  readonly #waits;
  readonly #polling = createPollMemory();
  #guard: WaitGuard | undefined;
  readonly #serving = Promise.withResolvers<void>();
  readonly #complete = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  /** How many there are to be: fewer where a thread cannot be started. */
  #wantedCount: number;
  #hasFailed = false;
  #isReadOnlySaid = false;
  #isGoneSaid = false;
  #isOver = false;
  #poll: ReturnType<typeof setInterval> | undefined;
  /** The next worker is to be started. */
  #launching: ReturnType<typeof setTimeout> | undefined;

  /** Starts nothing yet. */
  constructor(origin: WorkerOrigin, workerCount: number, listeners: PoolListeners = {}) {
    this.workerCount = workerCount;
    this.#wantedCount = workerCount;
    this.#origin = origin;
    this.#listeners = listeners;
    this.#states = new Int32Array(
      new SharedArrayBuffer((workerCount + 1 + RESERVE_COUNT) * Int32Array.BYTES_PER_ELEMENT),
    );
    this.#waits = createWaitMemory(workerCount + RESERVE_COUNT);
    // Each may be rejected before it is awaited, or without ever being awaited.
    this.#serving.promise.catch(() => {});
    this.#complete.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /**
   * Starts the first thread, which loads its code and then waits for {@link start}. Nothing happens
   * the second time.
   */
  launch(): void {
    if (this.#workers.length === 0) this.#workers.push(this.#spawn(0));
  }

  /**
   * Lets the first worker serve and waits until it does; the others follow by themselves.
   *
   * @param requestTimeoutMs how long a request may wait for its source; undefined: for ever
   * @throws {ProtocolError} when it fails
   * @throws {StateError} `timeout` when it does not answer
   */
  async start(common: CommonStart, timeoutMs: number, requestTimeoutMs?: number): Promise<void> {
    this.launch();
    const guard = this.#guard = new WaitGuard({
      table: new WaitTable(this.#waits),
      timeoutMs: requestTimeoutMs,
      startReserve: () => this.#startReserve(common),
      listeners: this.#listeners,
    });
    this.#post(this.#workers[0]!, 0, common);
    const timer = setTimeout(() => {
      this.#serving.reject(new StateError("timeout", "FUSE workers did not start"));
    }, timeoutMs);
    try {
      await this.#serving.promise;
    } finally {
      clearTimeout(timer);
    }
    if (this.#isOver) return;
    this.#poll = setInterval(() => {
      this.#checkStates();
      guard.look();
    }, POLL_MS);
    this.#launchLater(common);
  }

  /** What waits for the source, or for a thread, now. Not before {@link start}. */
  waitReport(): WaitReport {
    return this.#guard!.report();
  }

  /**
   * Fulfilled when no worker is being started any more: all serve, or the mount has ended; rejected
   * when one fails before.
   */
  complete(): Promise<void> {
    return this.#complete.promise;
  }

  /**
   * Fulfilled when all workers that were started have ended by themselves; rejected as soon as one
   * fails.
   */
  firstFailure(): Promise<void> {
    return this.#ended.promise;
  }

  /**
   * Gives up workers that do not serve yet. One that is blocked in the kernel cannot be stopped
   * like this.
   */
  terminate(): void {
    this.#stop();
    for (const worker of this.#workers) worker.terminate();
    this.#reserve?.terminate();
  }

  /**
   * Keeps workers from using the mount themselves, as preloading of directories does
   * (`directory_preloader.ts`), until the result is disposed of. One that does so right now is
   * waited for: it keeps the mount busy for a moment.
   */
  async pausePreloading(): Promise<Disposable> {
    const lock = this.workerCount;
    const deadline = performance.now() + PRELOAD_TIMEOUT_MS;
    while (Atomics.compareExchange(this.#states, lock, 0, 1) !== 0) {
      // It waits for a worker that hangs: whether the mount is free is then the kernel's to say.
      if (performance.now() > deadline) return { [Symbol.dispose]: () => {} };
      await new Promise((resolve) => setTimeout(resolve, PRELOAD_POLL_MS));
    }
    return { [Symbol.dispose]: () => void Atomics.store(this.#states, lock, 0) };
  }

  #spawn(index: number): PoolWorker {
    const { url, borrow } = this.#origin;
    const isReserve = index === this.workerCount;
    const start = isReserve || borrow === undefined ? threadsFrom(url) : borrow;
    const worker = start(threadName(FUSE_ROLE, index));
    worker.onmessage = (event) => this.#receive(event.data as WorkerMessage);
    worker.onerror = (event) => {
      // Otherwise the main isolate ends with the error.
      event.preventDefault();
      this.#fail(index, event.message);
    };
    return worker;
  }

  #post(worker: PoolWorker, index: number, common: CommonStart): void {
    worker.postMessage(
      {
        ...common,
        index,
        workerCount: this.workerCount,
        states: this.#states.buffer,
        polling: this.#polling,
        waits: this.#waits,
      } satisfies StartMessage,
    );
  }

  /** One a turn: signals and the news that the mount is there come between. */
  #launchLater(common: CommonStart): void {
    const index = this.#workers.length;
    if (index === this.workerCount) return;
    this.#launching = setTimeout(() => {
      try {
        const worker = this.#spawn(index);
        this.#workers.push(worker);
        this.#post(worker, index, common);
        this.#launchLater(common);
      } catch (error) {
        this.#wantedCount = this.#workers.length;
        this.#tellNotStarted(index, error instanceof Error ? error.message : String(error));
      }
    }, this.#workers.length === 1 ? this.#origin.othersAfterMs : 0);
  }

  #startReserve(common: CommonStart): void {
    if (this.#isOver) return;
    this.#reserve = this.#spawn(this.workerCount);
    this.#post(this.#reserve, this.workerCount, common);
  }

  /** Nothing is started or looked at any more. */
  #stop(): void {
    this.#isOver = true;
    this.#guard?.stop();
    clearInterval(this.#poll);
    clearTimeout(this.#launching);
  }

  #receive(message: WorkerMessage): void {
    switch (message.type) {
      case "log":
        this.#listeners.onFailure?.(
          message.suppressed > 0
            ? `${message.message} (${message.suppressed} more messages left out)`
            : message.message,
        );
        break;
      case "read-only":
        if (!this.#isReadOnlySaid) this.#listeners.onReadOnly?.();
        this.#isReadOnlySaid = true;
        break;
      case "failed":
        if (this.#isMissing(message.index)) this.#tellNotStarted(message.index, message.message);
        else this.#fail(message.index, message.message);
        break;
      case "alarm":
        this.#guard?.wake();
        break;
      case "serving":
        if (message.index === this.workerCount) this.#isReserveServing = true;
        this.#checkStates();
        break;
      case "ended":
        this.#checkStates();
        break;
    }
  }

  #checkStates(): void {
    let servingCount = 0;
    let endedCount = 0;
    let missingCount = 0;
    for (let index = 0; index < this.workerCount; index++) {
      const state = Atomics.load(this.#states, index);
      if (state === WorkerState.ENDED) endedCount++;
      if (state === WorkerState.SERVING || state === WorkerState.ENDED) servingCount++;
      if (this.#isMissing(index)) missingCount++;
      if (state === WorkerState.FAILED) this.#fail(index, "ended with an error");
    }
    if (servingCount > 0) this.#serving.resolve();
    if (servingCount + missingCount === this.#wantedCount) this.#complete.resolve();
    const isReserveEnded = this.#reserveState() === WorkerState.ENDED;
    if (endedCount > 0 || isReserveEnded) this.#tellGone();
    const hasReserveEnded = this.#reserve === undefined || isReserveEnded;
    const hasAllEnded = endedCount + missingCount === this.#workers.length;
    if (endedCount > 0 && hasAllEnded && hasReserveEnded) {
      this.#stop();
      this.#complete.resolve();
      this.#ended.resolve();
    }
  }

  /**
   * Whether a worker failed before it served, and the others serve without it. The first one cannot
   * be done without.
   */
  #isMissing(index: number): boolean {
    return index > 0 && index < this.workerCount &&
      Atomics.load(this.#states, index) === WorkerState.NOT_STARTED;
  }

  #tellNotStarted(index: number, message: string): void {
    this.#listeners.onFailure?.(
      `FUSE worker ${index} has not started, others serve without it: ${message}`,
    );
    this.#checkStates();
  }

  #tellGone(): void {
    // The reserve may be at rest, and not see that the mount is gone.
    this.#guard?.stop();
    if (!this.#isGoneSaid) this.#listeners.onGone?.();
    this.#isGoneSaid = true;
  }

  #reserveState(): number {
    return Atomics.load(this.#states, stateCell(this.workerCount, this.workerCount));
  }

  /** Only the first failure counts: the others follow from the end of the mount. */
  #fail(index: number, message: string): void {
    if (index === this.workerCount && !this.#isReserveServing) {
      // It was handling no request: the mount goes on, but without a reserve all threads may wait.
      this.#reserve = undefined;
      this.#listeners.onFailure?.(`Reserve thread did not start: ${message}`);
      return;
    }
    this.#stop();
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const error = new ProtocolError(`FUSE worker ${index} failed: ${message}`, {
      code: "worker-failed",
    });
    this.#serving.reject(error);
    this.#complete.reject(error);
    this.#ended.reject(error);
    this.#listeners.onFailure?.(error.message);
  }
}
