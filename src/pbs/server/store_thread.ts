/**
 * What the server's threads do: they open datastores and answer calls on them.
 *
 * @module
 */

import { endNativeCodecs } from "#src/codecs/codecs.ts";
import { serveCalls } from "#src/threads/call_pool.ts";
import { STORE_CALLS } from "./store_calls.ts";
import { type StoreDescription, StoresInThread } from "./store_in_thread.ts";

/** Makes this thread answer calls until it is told to end. */
export function serveStores(start: unknown): Promise<void> {
  const stores = new StoresInThread();
  return serveCalls(start, STORE_CALLS, (store: StoreDescription) => stores.get(store), () => {
    stores.close();
    endNativeCodecs();
  });
}
