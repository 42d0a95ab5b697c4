/**
 * Threads of the tests of storages: some of the program's own, and some that add chunks.
 *
 * @module
 */

import "./_storage_kinds.ts";
import { isChunkLoader, serveChunkLoader } from "#src/pbs/reading/chunk_loader.ts";
import { isReadAheadWorker, serveReadAheadWorker } from "#src/pbs/reading/read_ahead.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import { type Adding, exampleChunk, persistently } from "./_example_chunks.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

if (isReadAheadWorker()) serveReadAheadWorker();
else if (isChunkLoader()) serveChunkLoader();
else {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    const { description, seed, count } = event.data as Adding;
    const storage = openStorage(description);
    let newCount = 0;
    for (let number = 0; number < count; number++) {
      const { digest, buffer, start, size } = exampleChunk(seed, number);
      if (persistently(() => storage.chunks.add(digest, buffer, start, size))) newCount++;
    }
    storage.close();
    scope.postMessage(newCount);
  };
}
