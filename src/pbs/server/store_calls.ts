/**
 * What the server's threads can be asked for: a line for each method. It gets the store first, then
 * plain values, and gives plain values, or `Transferred` with buffers that are to be moved.
 *
 * @module
 */

import type { Namespace } from "../format/snapshot_path.ts";
import type { StoreInThread } from "./store_in_thread.ts";

/** See the head of the module. */
export const STORE_CALLS = {
  namespaces: ({ datastore }: StoreInThread, below: Namespace) => datastore.namespaces(below),
  groups: ({ datastore }: StoreInThread, ns: Namespace) => datastore.groups(ns),
} as const;

/** The type of {@link STORE_CALLS}, for those who only call. */
export type StoreCalls = typeof STORE_CALLS;
