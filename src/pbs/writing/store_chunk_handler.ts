/**
 * What becomes of the chunks of a backup: encoded in this thread, and kept wherever its keeper
 * does that.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ChunkHandler, ChunkOutcome } from "#src/chunking/chunk_handler.ts";
import { ChunkEncoder } from "./chunk_encoder.ts";
import type { ChunkKeeper, KeeperDescription } from "./chunk_keeper.ts";
import { openKeeper } from "./open_keeper.ts";

/** What another thread makes a {@link StoreChunkHandler} from. */
export interface StoreChunkHandlerDescription {
  /** What keeps the chunks. */
  readonly keeper: KeeperDescription;
  /** The 32 bytes of the key that chunks are encrypted with; undefined where they are not. */
  readonly key: Uint8Array<ArrayBuffer> | undefined;
}

/** Stores chunks. One for each thread. */
export class StoreChunkHandler implements ChunkHandler {
  readonly #encoder: ChunkEncoder;
  readonly #keeper: ChunkKeeper;

  /** Opens the keeper. @throws {OsError} when it cannot be opened */
  constructor({ keeper, key }: StoreChunkHandlerDescription) {
    this.#keeper = openKeeper(keeper);
    this.#encoder = new ChunkEncoder(key);
  }

  /** See {@link ChunkHandler.handle}. */
  handle(plain: NativeBuffer, start: number, size: number, stream = 0): ChunkOutcome {
    const digest = this.#encoder.digest(plain, start, size);
    const storedSize = this.#keeper.find(digest, size);
    if (storedSize >= 0) return { digest, storedSize, isNew: false };
    return this.#keeper.keep(digest, size, this.#encoder.encode(plain, start, size), stream);
  }

  /** Closes the keeper. */
  close(): void {
    this.#keeper.close();
  }
}
