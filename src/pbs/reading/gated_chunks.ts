/**
 * Chunks whose loading a gate is told of.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import type { ChunkSource } from "../ports.ts";

/** Loads chunks from another source, which may have to be waited for. */
export class GatedChunks implements ChunkSource {
  readonly #chunks: ChunkSource;
  readonly #gate: WaitGate;

  constructor(chunks: ChunkSource, gate: WaitGate) {
    this.#chunks = chunks;
    this.#gate = gate;
  }

  load(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void {
    waitAt(this.#gate, () => this.#chunks.load(digest, size, target, start));
  }

  has(digest: ChunkDigest): boolean {
    return waitAt(this.#gate, () => this.#chunks.has(digest));
  }
}
