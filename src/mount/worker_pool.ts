/**
 * The workers of one mount, seen from the main isolate.
 *
 * A mount answers as soon as one worker serves. The others are started behind that: each holds up the main isolate until its
 * thread has an isolate of its own, 10 ms, and to load the program takes each 50 ms of processor time, for which nobody who
 * waits for a mount need wait.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import { threadsFrom } from "#src/threads/thread.ts";
import { type StartMessage, type WorkerMessage, WorkerState } from "./worker_protocol.ts";

/** What all workers are started with. */
export type CommonStart = Omit<StartMessage, "index" | "workerCount" | "states">;

/** What is heard of workers. */
export interface PoolListeners {
  /** Receives failures of requests and of workers, for the log. */
  readonly onFailure?: ((message: string) => void) | undefined;
  /** Called once, when a change was refused because the file system beneath is read-only. */
  readonly onReadOnly?: (() => void) | undefined;
}

/** How often the shared states are looked at, in case a message got lost. */
const POLL_MS = 500;

/** How often it is looked whether a worker still preloads, and how long at most. */
const PRELOAD_POLL_MS = 1;
const PRELOAD_TIMEOUT_MS = 1000;

/** Starts workers and follows what becomes of them. */
export class WorkerPool {
  readonly workerCount: number;
  readonly #url: string;
  readonly #listeners: PoolListeners;
  readonly #states: Int32Array<SharedArrayBuffer>;
  readonly #workers: Worker[] = [];
  readonly #serving = Promise.withResolvers<void>();
  readonly #complete = Promise.withResolvers<void>();
  readonly #ended = Promise.withResolvers<void>();
  #hasFailed = false;
  #isReadOnlySaid = false;
  #isOver = false;
  #poll: ReturnType<typeof setInterval> | undefined;
  /** The next worker is to be started. */
  #launching: ReturnType<typeof setTimeout> | undefined;

  constructor(url: string, workerCount: number, listeners: PoolListeners = {}) {
    this.workerCount = workerCount;
    this.#url = url;
    this.#listeners = listeners;
    this.#states = new Int32Array(
      new SharedArrayBuffer((workerCount + 1) * Int32Array.BYTES_PER_ELEMENT),
    );
    // Each may be rejected before anybody waits for it, or when nobody does.
    this.#serving.promise.catch(() => {});
    this.#complete.promise.catch(() => {});
    this.#ended.promise.catch(() => {});
  }

  /** Starts the first thread, which loads its code and then waits for {@link start}. Nothing happens the second time. */
  launch(): void {
    if (this.#workers.length === 0) this.#launchNext();
  }

  /**
   * Lets the first worker serve and waits until it does; the others follow by themselves.
   *
   * @throws {ProtocolError} when it fails
   * @throws {StateError} `timeout` when it does not answer
   */
  async start(common: CommonStart, timeoutMs: number): Promise<void> {
    this.launch();
    this.#post(0, common);
    const timer = setTimeout(() => {
      this.#serving.reject(new StateError("timeout", "FUSE workers did not start"));
    }, timeoutMs);
    try {
      await this.#serving.promise;
    } finally {
      clearTimeout(timer);
    }
    if (this.#isOver) return;
    this.#poll = setInterval(() => this.#checkStates(), POLL_MS);
    this.#launchLater(common);
  }

  /** Fulfilled when no worker is being started any more: all serve, or the mount has ended; rejected when one fails before. */
  complete(): Promise<void> {
    return this.#complete.promise;
  }

  /** Fulfilled when all workers that were started have ended by themselves; rejected as soon as one fails. */
  firstFailure(): Promise<void> {
    return this.#ended.promise;
  }

  /** Gives up workers that do not serve yet. One that is blocked in the kernel cannot be stopped like this. */
  terminate(): void {
    this.#stop();
    for (const worker of this.#workers) worker.terminate();
  }

  /**
   * Keeps workers from using the mount themselves, as preloading of directories does (`directory_preloader.ts`), until the result
   * is disposed of. One that does so right now is waited for: it keeps the mount busy for a moment.
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

  #launchNext(): void {
    const index = this.#workers.length;
    const worker = threadsFrom(this.#url)(`fuse-${index}`);
    worker.onmessage = (event) => this.#receive(event.data as WorkerMessage);
    worker.onerror = (event) => {
      // Otherwise the main isolate ends with the error.
      event.preventDefault();
      this.#fail(index, event.message);
    };
    this.#workers.push(worker);
  }

  #post(index: number, common: CommonStart): void {
    this.#workers[index]!.postMessage(
      {
        ...common,
        index,
        workerCount: this.workerCount,
        states: this.#states.buffer,
      } satisfies StartMessage,
    );
  }

  /** One a turn: signals and the news that the mount is there come between. */
  #launchLater(common: CommonStart): void {
    const index = this.#workers.length;
    if (index === this.workerCount) return;
    this.#launching = setTimeout(() => {
      try {
        this.#launchNext();
        this.#post(index, common);
        this.#launchLater(common);
      } catch (error) {
        this.#fail(index, error instanceof Error ? error.message : String(error));
      }
    }, 0);
  }

  /** Nothing is started or looked at any more. */
  #stop(): void {
    this.#isOver = true;
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
        this.#fail(message.index, message.message);
        break;
      case "serving":
      case "ended":
        this.#checkStates();
        break;
    }
  }

  #checkStates(): void {
    let servingCount = 0;
    let endedCount = 0;
    for (let index = 0; index < this.workerCount; index++) {
      const state = Atomics.load(this.#states, index);
      if (state === WorkerState.ENDED) endedCount++;
      if (state === WorkerState.SERVING || state === WorkerState.ENDED) servingCount++;
      if (state === WorkerState.FAILED) this.#fail(index, "ended with an error");
    }
    if (servingCount > 0) this.#serving.resolve();
    if (servingCount === this.workerCount) this.#complete.resolve();
    if (endedCount > 0 && endedCount === this.#workers.length) {
      this.#stop();
      this.#complete.resolve();
      this.#ended.resolve();
    }
  }

  /** Only the first failure counts: the others follow from the end of the mount. */
  #fail(index: number, message: string): void {
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
