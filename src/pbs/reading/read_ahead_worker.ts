/**
 * The module that threads start from that read ahead.
 *
 * @module
 */

import { serveReadAheadWorker } from "./read_ahead.ts";

serveReadAheadWorker();
