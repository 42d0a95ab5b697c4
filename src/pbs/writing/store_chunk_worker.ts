/**
 * The module that threads of a backup to a datastore directory start from.
 *
 * @module
 */

import { serveChunkWorker } from "#src/chunking/chunk_worker.ts";
import { StoreChunkHandler, type StoreChunkHandlerDescription } from "./store_chunk_handler.ts";

serveChunkWorker((description) =>
  new StoreChunkHandler(description as StoreChunkHandlerDescription)
);
