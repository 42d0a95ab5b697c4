/**
 * Chunks that can be made from their number, for tests of threads that share them.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ChunkDigest, digestBytes, digestOf } from "#src/bytes/chunk_digest.ts";
import { IntegrityError } from "#src/errors.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import type { ChunkSource } from "#src/pbs/ports.ts";
import type { SharedChunkCache } from "#src/pbs/reading/shared_chunk_cache.ts";

/** The digest of a chunk, which says its number. */
export function numberedDigest(number: number): ChunkDigest {
  const bytes = new Uint8Array(32).fill(7);
  new DataView(bytes.buffer).setUint32(28, number);
  return digestOf(bytes);
}

/** Chunks have different sizes. */
export function numberedSize(number: number): number {
  return 3000 + (number * 7919) % 60_000;
}

/** A byte of a chunk. */
function numberedByte(number: number, offset: number): number {
  return (number * 31 + offset * 7 + (offset >> 8)) & 0xff;
}

/** Makes chunks and remembers which. */
export class NumberedChunks implements ChunkSource {
  readonly loaded: number[] = [];
  /** Is called in the middle of loading. */
  whileLoading: (number: number) => void = () => {};
  readonly damaged = new Set<number>();

  load(digest: ChunkDigest, size: number, target: { bytes: Uint8Array }, start: number): void {
    const number = new DataView(digestBytes(digest).buffer).getUint32(28);
    this.loaded.push(number);
    assert.equal(size, numberedSize(number));
    const region = target.bytes.subarray(start, start + size);
    region.fill(0xee);
    this.whileLoading(number);
    if (this.damaged.has(number)) throw new IntegrityError(`Chunk ${number} is damaged`);
    for (let offset = 0; offset < size; offset++) region[offset] = numberedByte(number, offset);
  }

  has(): boolean {
    return true;
  }
}

/** Copies a part of a chunk and compares it with what it has to be. */
export function checkCopy(
  cache: SharedChunkCache,
  number: number,
  from = 0,
  count = numberedSize(number),
): void {
  const target = allocateNativeBuffer(count + 2);
  const part = { digest: numberedDigest(number), size: numberedSize(number), from, count };
  cache.copy(part, target, 1);
  assert.equal(target.bytes[0], 0);
  assert.equal(target.bytes[count + 1], 0);
  for (let index = 0; index < count; index++) {
    if (target.bytes[1 + index] === numberedByte(number, from + index)) continue;
    assert.fail(`chunk ${number} has another byte at ${from + index}`);
  }
}
