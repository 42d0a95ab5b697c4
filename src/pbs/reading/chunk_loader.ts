/**
 * The thread that loads shared chunks before they are wanted: one for all that share them.
 *
 * @module
 */

import { type SpawnThread, Threads } from "#src/threads/thread.ts";
import { type StoredChunks, withChunkSource } from "./local_chunk_source.ts";
import { loadWanted } from "./shared_chunk_cache.ts";
import { ChunkSlots, type SharedChunkMemory } from "./shared_chunk_memory.ts";

/** Role of threads that load shared chunks. */
export const CHUNK_LOADER_ROLE = "chunk-loader";

/** Sent to the thread once. */
export interface ChunkLoaderStart extends StoredChunks {
  readonly memory: SharedChunkMemory;
}

/** A running thread. */
export class ChunkLoader {
  readonly #threads: Threads;
  readonly #slots: ChunkSlots;

  /**
   * @param spawn starts a thread with this name, from a module that serves
   *   {@link CHUNK_LOADER_ROLE}
   */
  constructor(source: StoredChunks, memory: SharedChunkMemory, spawn: SpawnThread) {
    this.#slots = new ChunkSlots(memory);
    const start: ChunkLoaderStart = { ...source, memory };
    this.#threads = new Threads(spawn, CHUNK_LOADER_ROLE, 1, start);
  }

  /**
   * Ends the thread, whatever it does: nobody waits for storage that hangs, and the memory that it
   * writes to stays.
   */
  close(): void {
    this.#slots.stop();
    this.#threads.end(0);
  }
}

/** Loads chunks until there are no more. What a thread with {@link CHUNK_LOADER_ROLE} does. */
export function loadSharedChunks({ memory, ...source }: ChunkLoaderStart): void {
  const slots = new ChunkSlots(memory);
  withChunkSource(source, (chunks) => {
    while (!slots.isStopped) {
      const seen = slots.callCount;
      if (!loadWanted(slots, chunks)) slots.waitForCall(seen);
    }
  });
}
