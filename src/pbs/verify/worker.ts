/**
 * The module that threads of a verification start from.
 *
 * @module
 */

import { serveVerifyWorker } from "./threads.ts";

serveVerifyWorker();
