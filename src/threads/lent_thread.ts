/**
 * Threads that the main thread starts for another one: what a thread starts itself sleeps for a
 * second first (`findings/deno-nested-worker.sh`).
 *
 * @module
 */

import type { SpawnThread, Thread } from "./thread.ts";

/** What a thread says to who lends it others. */
export type BorrowMessage =
  | { readonly type: "thread-wanted"; readonly id: number; readonly name: string }
  | { readonly type: "thread-told"; readonly id: number; readonly message: unknown }
  | { readonly type: "thread-over"; readonly id: number };

/** A thread that another one has started for this one. */
class LentThread implements Thread {
  /** Never called: a thread that has failed is of no help, and nobody waits for it. */
  onerror: ((event: ErrorEvent) => void) | null = null;
  readonly #id: number;
  readonly #send: (message: BorrowMessage) => void;

  constructor(id: number, name: string, send: (message: BorrowMessage) => void) {
    this.#id = id;
    this.#send = send;
    send({ type: "thread-wanted", id, name });
  }

  postMessage(message: unknown): void {
    this.#send({ type: "thread-told", id: this.#id, message });
  }

  terminate(): void {
    this.#send({ type: "thread-over", id: this.#id });
  }
}

/** Borrows threads from whoever gets the messages and hands them to a {@link ThreadLender}. */
export function borrowThreads(send: (message: BorrowMessage) => void): SpawnThread<Thread> {
  let count = 0;
  return (name) => new LentThread(count++, name, send);
}

/** Starts threads for one that asks. */
export class ThreadLender {
  readonly #spawn: SpawnThread;
  readonly #threads = new Map<number, Worker>();

  constructor(spawn: SpawnThread) {
    this.#spawn = spawn;
  }

  /** Does what a message says. */
  take(message: BorrowMessage): void {
    const { id } = message;
    const thread = this.#threads.get(id);
    switch (message.type) {
      case "thread-wanted": {
        const started = this.#spawn(message.name);
        // By default it would end the program when it cannot start or fails.
        started.onerror = (event) => event.preventDefault();
        this.#threads.set(id, started);
        return;
      }
      case "thread-told":
        return thread?.postMessage(message.message);
      case "thread-over":
        thread?.terminate();
        this.#threads.delete(id);
    }
  }

  /** Ends all, also those that are still used. */
  end(): void {
    for (const thread of this.#threads.values()) thread.terminate();
    this.#threads.clear();
  }
}
