/**
 * Streams through a pipeline, and what should come out.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { ChunkRecord } from "#src/chunking/chunk_handler.ts";
import type { ChunkStream, CutRule } from "#src/chunking/chunk_stream.ts";
import type { ChunkPipeline } from "#src/chunking/pipeline.ts";
import { sha256Of } from "#src/codecs/hashing.ts";

/** What a listener was told. */
export interface HeardChunk {
  readonly digest: string;
  readonly size: number;
  readonly endOffset: number;
}

/** A stream and what its listener heard. */
export interface HeardStream {
  readonly stream: ChunkStream;
  readonly heard: HeardChunk[];
  readonly records: ChunkRecord[];
}

/** Opens a stream that is listened to. */
export function openHeard(pipeline: ChunkPipeline, rule: CutRule): HeardStream {
  const heard: HeardChunk[] = [];
  const records: ChunkRecord[] = [];
  const stream = pipeline.openStream(rule, (chunk, endOffset) => {
    heard.push({ digest: chunk.digest, size: chunk.size, endOffset });
    records.push(chunk);
  });
  return { stream, heard, records };
}

/** What a listener is to hear of `bytes` cut into chunks of these sizes. */
export function expectedChunks(
  bytes: Uint8Array<ArrayBuffer>,
  sizes: readonly number[],
): HeardChunk[] {
  let endOffset = 0;
  const chunks = sizes.map((size) => {
    const start = endOffset;
    endOffset += size;
    return { digest: sha256Of(bytes.subarray(start, endOffset)).toHex(), size, endOffset };
  });
  assert.equal(endOffset, bytes.length);
  return chunks;
}

/** Writes `bytes` in pieces of the given sizes, over and over. */
export function writeInPieces(
  stream: ChunkStream,
  bytes: Uint8Array,
  pieces: readonly number[],
): void {
  let index = 0;
  for (let done = 0; done < bytes.length;) {
    const size = Math.min(bytes.length - done, pieces[index++ % pieces.length]!);
    stream.write(bytes.subarray(done, done + size));
    done += size;
  }
}
