/**
 * The threads that help a verification.
 *
 * A worker only tells sound chunks from others; what is wrong with the others the caller's thread
 * finds out again by itself.
 *
 * @module
 */

import type { SpawnThread } from "#src/threads/thread.ts";
import { CryptConfig } from "../crypt/crypt_config.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { StorageDescription } from "../storage/storage.ts";
import { ChunkCheck } from "./chunk_check.ts";
import { VerifyQueue } from "./verify_queue.ts";

/** Role of threads that verify. */
export const VERIFY_ROLE = "verify";

/** Sent to a thread once. */
export interface VerifyStart {
  readonly queue: SharedArrayBuffer;
  readonly storage: StorageDescription;
  /** Each 32 bytes, in the order of their numbers. */
  readonly keys: readonly Uint8Array[];
}

/** How a verification gets threads. */
export interface VerifyThreads {
  /** Threads besides the caller's. */
  readonly count: number;
  /**
   * Starts a thread with this name, from a module that calls `serveDatastoreThread`. Default: from
   * one of this package.
   */
  readonly spawn?: SpawnThread;
  /** They are started when an index has so many bytes that have to be verified. Default: 64 MiB. */
  readonly startBytes?: number;
  /**
   * How long the caller waits while none of them has checked anything, before it goes on alone.
   * Default: 600,000.
   */
  readonly timeoutMs?: number;
}

/** Checks chunks until there are no more. What a thread with {@link VERIFY_ROLE} does. */
export function checkChunks({ queue: shared, storage: description, keys }: VerifyStart): void {
  const queue = new VerifyQueue(shared);
  const crypts = keys.map((key) => new CryptConfig(key));
  const storage = openStorage(description);
  try {
    const checker = new ChunkCheck(storage.chunks);
    queue.serve((cell) => queue.check(cell, checker, crypts));
  } finally {
    storage.close();
  }
}
