/**
 * The module that threads start from which work on datastores, where the program hands in no other.
 *
 * @module
 */

import { serveDatastoreThread } from "./thread_roles.ts";

serveDatastoreThread();
