/**
 * Datastores in a thread of the server.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { Datastore } from "../datastore.ts";
import { type OpenStore, openStore } from "../snapshots/open_store.ts";
import type { SyncLevel } from "../storage/directory/directory_options.ts";

/**
 * How long a thread waits for locks: it has others to serve, and a client that is told to come back
 * can wait better.
 */
const LOCK_TIMEOUT_MS = 200;

/** A datastore that is served: plain values, sent with each call. */
export interface StoreDescription {
  readonly name: string;
  readonly path: string;
  readonly syncLevel: SyncLevel;
  /** What makes all threads one holder of its process lock. */
  readonly lockMemory: SharedArrayBuffer;
}

/** A datastore in a thread. */
export interface StoreInThread {
  readonly name: string;
  /** What calls use; open for writing. */
  readonly datastore: Datastore;
  /** The same, for what is below the front of a datastore. */
  readonly open: OpenStore;
  /** What calls of a lane have left for later ones, by number; released when the thread ends. */
  readonly held: Map<number, Held>;
}

/** Something that is held from one call to a later one. */
export interface Held {
  /** Gives it back; the second time does nothing. */
  release(): void;
}

/**
 * What a call has left. @throws {StateError} `stopped` when its thread has failed meanwhile, and
 * another one took its place
 */
export function heldOf<Kind extends Held>(
  { held }: StoreInThread,
  handle: number,
  kind: { readonly prototype: Kind; [Symbol.hasInstance](value: unknown): boolean },
): Kind {
  const found = held.get(handle);
  if (kind[Symbol.hasInstance](found)) return found as Kind;
  throw new StateError("stopped", "Cannot go on: the session was lost, start again");
}

/** Datastores that a thread has open. */
export class StoresInThread {
  readonly #stores = new Map<string, StoreInThread>();

  /** Opens a store at its first use. */
  get(description: StoreDescription): StoreInThread {
    const { name, path, syncLevel, lockMemory } = description;
    const known = this.#stores.get(path);
    if (known !== undefined) return known;
    const datastore = Datastore.open(path, {
      access: "write",
      syncLevel,
      lockMemory,
      lockTimeoutMs: LOCK_TIMEOUT_MS,
    });
    const open = openStore(datastore.storage, true);
    const store = { name, datastore, open, held: new Map<number, Held>() };
    this.#stores.set(path, store);
    return store;
  }

  /** Gives back all that is held. */
  close(): void {
    for (const { datastore, held } of this.#stores.values()) {
      for (const thing of held.values()) thing.release();
      datastore.close();
    }
    this.#stores.clear();
  }
}
