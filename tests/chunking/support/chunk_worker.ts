/**
 * The module of workers in tests.
 *
 * @module
 */

import { isChunkWorker, serveChunkWorker } from "#src/chunking/chunk_worker.ts";
import { type HashHandlerDescription, openHashHandler } from "./hash_handler.ts";

if (!isChunkWorker()) throw new Error("Not started as a chunk worker");
serveChunkWorker((description) => openHashHandler(description as HashHandlerDescription));
