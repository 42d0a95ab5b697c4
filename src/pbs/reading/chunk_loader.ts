/**
 * The thread that loads shared chunks before they are wanted: one for all that share them.
 *
 * @module
 */

import { endNativeCodecs, nativeCodecs } from "#src/codecs/mod.ts";
import { BlobCodec } from "../blob_codec.ts";
import { openStorage } from "../storage/open_storage.ts";
import { CryptConfig } from "../crypt_config.ts";
import { LocalChunkSource } from "./local_chunk_source.ts";
import type { ReadAheadSource } from "./read_ahead.ts";
import { loadWanted } from "./shared_chunk_cache.ts";
import { ChunkSlots, type SharedChunkMemory } from "./shared_chunk_memory.ts";

/** Threads that load chunks have names that start with this: one module may be that of other workers too. */
const CHUNK_LOADER_NAME = "chunk-loader-";

interface ChunkLoaderStart {
  readonly source: ReadAheadSource;
  readonly memory: SharedChunkMemory;
}

/** A running thread. */
export class ChunkLoader {
  readonly #worker: Worker;
  readonly #slots: ChunkSlots;

  /** @param spawn starts a thread with this name, from a module that calls {@link serveChunkLoader} */
  constructor(
    source: ReadAheadSource,
    memory: SharedChunkMemory,
    spawn: (name: string) => Worker,
  ) {
    this.#slots = new ChunkSlots(memory);
    this.#worker = spawn(`${CHUNK_LOADER_NAME}0`);
    // A thread that does not start does no harm: others load by themselves. By default it would end the program.
    this.#worker.onerror = (event) => event.preventDefault();
    this.#worker.postMessage({ source, memory } satisfies ChunkLoaderStart);
  }

  /** Ends the thread. */
  close(): void {
    this.#slots.stop();
    this.#worker.terminate();
  }
}

/** The global scope of a worker, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** Whether this thread was started to load chunks, where a module is that of several kinds of workers. */
export function isChunkLoader(): boolean {
  return (globalThis as unknown as WorkerScope).name?.startsWith(CHUNK_LOADER_NAME) ?? false;
}

/** Waits for the one message and loads chunks until there are no more. To be called once in a worker's module. */
export function serveChunkLoader(): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    const { source: { storage: description, isEncrypted, key }, memory } = event
      .data as ChunkLoaderStart;
    const slots = new ChunkSlots(memory);
    const storage = openStorage(description);
    const crypt = key === undefined ? undefined : new CryptConfig(key);
    const chunks = new LocalChunkSource({
      store: storage.chunks,
      codec: new BlobCodec(nativeCodecs()),
      isEncrypted,
      crypt,
    });
    while (!slots.isStopped) {
      const seen = slots.callCount;
      if (!loadWanted(slots, chunks)) slots.waitForCall(seen);
    }
    storage.close();
    endNativeCodecs();
    scope.close();
  };
}
