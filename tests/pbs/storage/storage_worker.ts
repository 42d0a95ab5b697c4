/**
 * Threads of the tests of storages: some of the program's own, and some that add chunks.
 *
 * @module
 */

import "./_storage_kinds.ts";
import { openStorage } from "#src/pbs/storage/open_storage.ts";
import { serveDatastoreThread } from "#src/pbs/thread_roles.ts";
import { type Adding, exampleChunk, persistently } from "./_example_chunks.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

if (!serveDatastoreThread()) {
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
