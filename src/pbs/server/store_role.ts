/**
 * What threads of the server are called; apart from what they do, which the main isolate need not
 * load.
 *
 * @module
 */

/** Role of threads that work on datastores for the server. */
export const STORE_SERVER_ROLE = "store-server";
