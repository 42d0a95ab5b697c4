/**
 * Chunks that tests of storages store, in several threads.
 *
 * @module
 */

import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { Errno, OsError } from "#src/errors.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import { Random } from "#tests/support/property_random.ts";

const ATTEMPTS_MAX = 200;

/** What a thread is told that adds the first chunks of a seed. */
export interface Adding {
  readonly description: StorageDescription;
  readonly seed: number;
  readonly count: number;
}

/** A chunk among other bytes. */
export interface ExampleChunk {
  readonly digest: ChunkDigest;
  readonly buffer: NativeBuffer;
  readonly start: number;
  readonly size: number;
}

/**
 * The chunk of a seed with this number. What is stored is not looked at by a storage, so that it
 * need not be a blob.
 */
export function exampleChunk(seed: number, number: number, size = 100 + number % 50): ExampleChunk {
  const bytes = new Random(seed, number).bytes(size + 8);
  const digest = digestOf(sha256Of(new TextEncoder().encode(`${seed}:${number}`)));
  return { digest, buffer: nativeBufferOf(bytes), start: 4, size };
}

/** Does something again until it does not fail as an unreliable storage does. */
export function persistently<Result>(attempt: () => Result): Result {
  for (let count = 1;; count++) {
    try {
      return attempt();
    } catch (error) {
      const isPassing = error instanceof OsError && error.errno === Errno.EIO;
      if (!isPassing || count === ATTEMPTS_MAX) throw error;
    }
  }
}
