/**
 * How threads that work on datastores start where the program hands in no other way: from the
 * sources of this folder, which must be readable.
 *
 * @module
 */

import { threadsFrom } from "#src/threads/thread.ts";

/** Starts a thread with a name that says its role (`thread_roles.ts`). */
export const startStoreThread = threadsFrom(() => new URL("./worker.ts", import.meta.url));
