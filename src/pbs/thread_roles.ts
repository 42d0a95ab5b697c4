/**
 * What threads that work on datastores do.
 *
 * @module
 */

import { CHUNK_ROLE, type ChunkWorkerStart, handleChunks } from "#src/chunking/chunk_worker.ts";
import { endNativeCodecs } from "#src/codecs/codecs.ts";
import { NETWORK_ROLE } from "#src/threads/network_thread.ts";
import { serveThread, threadRole, type ThreadRoles } from "#src/threads/thread.ts";
import type { NetworkStart } from "./client/network_thread/serve.ts";
import type { ServerLogin } from "./client/server_login.ts";
import {
  CHUNK_LOADER_ROLE,
  type ChunkLoaderStart,
  loadSharedChunks,
} from "./reading/chunk_loader.ts";
import { READ_AHEAD_ROLE, readAhead, type ReadAheadStart } from "./reading/read_ahead.ts";
import { STORE_SERVER_ROLE } from "./server/store_role.ts";
import { serveStores } from "./server/store_thread.ts";
import {
  StoreChunkHandler,
  type StoreChunkHandlerDescription,
} from "./writing/store_chunk_handler.ts";
import { checkChunks, VERIFY_ROLE, type VerifyStart } from "./verify/threads.ts";

const ROLES: ThreadRoles = {
  [CHUNK_ROLE]: (start) =>
    handleChunks(
      start as ChunkWorkerStart,
      (description) => new StoreChunkHandler(description as StoreChunkHandlerDescription),
    ),
  [VERIFY_ROLE]: (start) => checkChunks(start as VerifyStart),
  [READ_AHEAD_ROLE]: (start) => readAhead(start as ReadAheadStart),
  [CHUNK_LOADER_ROLE]: (start) => loadSharedChunks(start as ChunkLoaderStart),
  [STORE_SERVER_ROLE]: serveStores,
  // Others load nothing of the network.
  [NETWORK_ROLE]: async (start) => {
    const [{ serveServer }] = await loadNetwork();
    await serveServer(start as NetworkStart<ServerLogin>);
  },
};

function loadNetwork() {
  return Promise.all([
    import("./client/network_thread/server_thread.ts"),
    import("node:tls"),
    import("node:net"),
  ]);
}

/**
 * Makes this thread do what its name says: handle chunks of a backup, verify, or load chunks before
 * they are wanted. To be called once in the module that threads start from.
 *
 * @returns false when it was started for something else: one module may be that of other threads
 *   too
 */
export function serveDatastoreThread(): boolean {
  // While its start is on its way.
  if (threadRole() === NETWORK_ROLE) void loadNetwork();
  return serveThread(ROLES, endNativeCodecs);
}
