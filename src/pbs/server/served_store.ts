/**
 * Datastores as the server uses them: everything that waits for a disk or computes is done by
 * threads, and the main isolate, which has the connections, only calls.
 *
 * @module
 */

import {
  type CallArgs,
  type CallOptions,
  CallPool,
  type CallResult,
} from "#src/threads/call_pool.ts";
import type { Lane } from "#src/threads/call_pool.ts";
import type { SpawnThread } from "#src/threads/thread.ts";
import { keepHeapSmall } from "#ffi/libc/memory.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import type { SyncLevel } from "../storage/directory/directory_options.ts";
import { createLockMemory } from "../storage/directory/process_lock.ts";
import { startStoreThread } from "../thread_start.ts";
import type { StoreCalls } from "./store_calls.ts";
import type { StoreDescription } from "./store_in_thread.ts";
import { STORE_SERVER_ROLE } from "./store_role.ts";

/** Calls that may wait for a thread. */
const QUEUE_MAX = 4096;
/** More would only wait for the disk or the network. */
const THREADS_MAX = 4;

/** What a method of `store_calls.ts` is given besides the store. */
export type StoreArgs<Name extends keyof StoreCalls> = CallArgs<StoreCalls, Name>;
/** What it gives. */
export type StoreResult<Name extends keyof StoreCalls> = CallResult<StoreCalls, Name>;

/** How threads of the server start. */
export interface StoreThreadsOptions {
  /** Default: from a module of this package. */
  readonly spawn?: SpawnThread;
  /** Default: as many as there are processors, 2 to 4. */
  readonly count?: number;
}

/** How a datastore is served. */
export interface ServedStoreOptions {
  readonly name: string;
  /** Directory with `.chunks`. */
  readonly path: string;
  /** Default: `filesystem`. */
  readonly syncLevel?: SyncLevel;
}

/** The threads that all datastores of a server share. */
export class StoreThreads {
  readonly pool: CallPool<StoreCalls, StoreDescription>;

  /** They start when the first call needs them. */
  constructor(options: StoreThreadsOptions = {}) {
    // Chunks go from thread to thread, and what the heap of each thread keeps of them adds up.
    if (mayUseFfi) keepHeapSmall();
    const { spawn = startStoreThread } = options;
    const { count = Math.min(Math.max(navigator.hardwareConcurrency, 2), THREADS_MAX) } = options;
    this.pool = new CallPool({ spawn, role: STORE_SERVER_ROLE, count, queueMax: QUEUE_MAX });
  }

  /** Serves a datastore; whether it is one is found out by the first call. */
  serve(options: ServedStoreOptions): ServedStore {
    return new ServedStore(this.pool, options);
  }

  /** Ends the threads when the calls that were made are answered. */
  close(): Promise<void> {
    return this.pool.close();
  }
}

/** A datastore, used by the methods of `store_calls.ts`. */
export class ServedStore {
  readonly name: string;
  readonly path: string;
  readonly #pool: CallPool<StoreCalls, StoreDescription>;
  readonly #description: StoreDescription;

  constructor(pool: CallPool<StoreCalls, StoreDescription>, options: ServedStoreOptions) {
    const { name, path, syncLevel = "filesystem" } = options;
    this.name = name;
    this.path = path;
    this.#pool = pool;
    this.#description = { name, path, syncLevel, lockMemory: createLockMemory() };
  }

  /**
   * Calls a method in any thread.
   *
   * @throws {ProtocolError} temporary, when too many calls wait, or the thread has failed
   * @throws {StateError} `stopped` after the threads were closed
   * @throws what the method throws
   */
  call<Name extends keyof StoreCalls>(
    name: Name,
    ...args: StoreArgs<Name>
  ): Promise<StoreResult<Name>> {
    return this.callWith({}, name, ...args);
  }

  /** {@link call}, with buffers that are moved, or in the thread of a lane. */
  callWith<Name extends keyof StoreCalls>(
    options: CallOptions,
    name: Name,
    ...args: StoreArgs<Name>
  ): Promise<StoreResult<Name>> {
    return this.#pool.call(this.#description, name, args, options);
  }

  /** {@link call} in a thread of its own, for what takes minutes: collection, verification. */
  callAlone<Name extends keyof StoreCalls>(
    name: Name,
    ...args: StoreArgs<Name>
  ): Promise<StoreResult<Name>> {
    return this.#pool.callAlone(this.#description, name, args);
  }

  /** A thread for calls that leave something to later ones. */
  takeLane(): Lane {
    return this.#pool.takeLane();
  }
}
