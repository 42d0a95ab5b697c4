/**
 * The module that threads start from that load shared chunks.
 *
 * @module
 */

import { serveChunkLoader } from "./chunk_loader.ts";

serveChunkLoader();
