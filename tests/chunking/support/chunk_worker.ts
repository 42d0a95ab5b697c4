/**
 * The module of workers in tests.
 *
 * @module
 */

import { serveChunkWorker } from "#src/chunking/chunk_worker.ts";
import { type HashHandlerDescription, openHashHandler } from "./hash_handler.ts";

const isServing = serveChunkWorker((description) =>
  openHashHandler(description as HashHandlerDescription)
);
if (!isServing) throw new Error("Not started as a chunk worker");
