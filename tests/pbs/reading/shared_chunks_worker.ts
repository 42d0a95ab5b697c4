/**
 * A thread that uses shared chunks at random and compares each.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { SharedChunkCache } from "#src/pbs/reading/shared_chunk_cache.ts";
import type { SharedChunkMemory } from "#src/pbs/reading/shared_chunk_memory.ts";
import { Random } from "#tests/support/property_random.ts";
import { checkCopy, NumberedChunks, numberedDigest, numberedSize } from "./_shared_chunks.ts";

interface Start {
  readonly memory: SharedChunkMemory;
  readonly seed: number;
  readonly roundCount: number;
  readonly chunkCount: number;
  /** Says that it is loading a chunk, and sleeps for ever. */
  readonly hangs?: boolean;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Start>) => void;
  postMessage(message: unknown): void;
};

scope.onmessage = ({ data: { memory, seed, roundCount, chunkCount, hangs } }) => {
  const chunks = new NumberedChunks();
  if (hangs) {
    chunks.whileLoading = () => {
      scope.postMessage("loading");
      Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0);
    };
  }
  const cache = new SharedChunkCache({
    memory,
    chunks,
    allocate: allocateNativeBuffer,
    startLoader: () => {},
    startBytes: 0,
  });
  const random = new Random(seed);
  for (let round = 0; round < roundCount; round++) {
    const number = random.between(0, chunkCount - 1);
    const size = numberedSize(number);
    const from = random.between(0, size);
    if (random.oneIn(3)) {
      const next = (number + 1) % chunkCount;
      cache.expect(numberedDigest(next), numberedSize(next), () => {});
    }
    checkCopy(cache, number, from, random.between(0, size - from));
  }
  scope.postMessage(chunks.loaded.length);
};
