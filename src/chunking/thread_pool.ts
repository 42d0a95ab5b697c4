/**
 * Threads that are kept from one pipeline to the next: starting one takes longer than a small
 * backup.
 *
 * @module
 */

import { END, type SpawnThread, threadName } from "#src/threads/thread.ts";
import { CHUNK_ROLE } from "./chunk_worker.ts";
import type { ChunkThread } from "./worker_threads.ts";

/** With threads that are there already, more bytes than these are worth being shared. */
const START_SIZE = 128 << 10;

/**
 * A number of threads for one pipeline after the other. They are started at once. Pipelines that
 * are open at the same time get further ones, which end with them. Must be disposed of: until then
 * the threads keep the program from ending.
 *
 * @example
 * ```ts
 * import { ChunkThreadPool } from "@pbkfs/pbkfs/chunking";
 * import type { Datastore, GroupId } from "@pbkfs/pbkfs/pbs";
 *
 * function backUpAll(store: Datastore, groups: readonly GroupId[], threads: ChunkThreadPool) {
 *   for (const group of groups) {
 *     const writer = store.startSnapshot({ group, workers: threads });
 *     // …
 *     writer.finish();
 *   }
 * }
 * ```
 */
export class ChunkThreadPool implements Disposable {
  /** Threads of a pipeline besides the caller's. */
  readonly count: number;
  /** A pipeline uses them when so many bytes have been cut. */
  readonly startBytes: number = START_SIZE;
  readonly #start: SpawnThread;
  #idle: Worker[] = [];
  readonly #broken = new WeakSet<Worker>();
  #isDisposed = false;

  /**
   * Starts `count` threads at once, which wait for the first pipeline.
   *
   * @param start starts a thread with this name, from a module that calls `serveChunkWorker` then
   */
  constructor(count: number, start: SpawnThread) {
    this.count = count;
    this.#start = start;
    for (let index = 0; index < count; index++) {
      this.#idle.push(this.#startWorker(threadName(CHUNK_ROLE, index)));
    }
  }

  /** Lends a thread until it is terminated. What pipelines call. */
  readonly spawn = (name: string): ChunkThread => {
    const worker = this.#idle.pop() ?? this.#startWorker(name);
    return {
      isKept: true,
      onerror: null,
      postMessage: (message) => worker.postMessage(message),
      terminate: () => this.#takeBack(worker),
    };
  };

  /** Ends the threads: at once, or when the pipelines that have them end. */
  [Symbol.dispose](): void {
    this.#isDisposed = true;
    for (const worker of this.#idle.splice(0)) end(worker);
  }

  #startWorker(name: string): Worker {
    const worker = this.#start(name);
    worker.onerror = (event) => {
      event.preventDefault();
      this.#broken.add(worker);
      this.#idle = this.#idle.filter((other) => other !== worker);
    };
    return worker;
  }

  #takeBack(worker: Worker): void {
    const isKept = !this.#isDisposed && !this.#broken.has(worker) && this.#idle.length < this.count;
    if (isKept) this.#idle.push(worker);
    else end(worker);
  }
}

/** It ends by itself soon: terminating it would leave native memory behind. */
function end(worker: Worker): void {
  worker.postMessage(END);
}
