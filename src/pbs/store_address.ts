/**
 * Where a datastore is, as plain values: any thread opens it by them.
 *
 * @module
 */

import type { ChunkDiskCacheAddress } from "./client/chunk_disk_cache.ts";
import { NetworkLink } from "./client/network_link.ts";
import { RemoteStore } from "./client/remote_store.ts";
import { Datastore } from "./datastore.ts";

/** A datastore of either kind. */
export type StoreAddress = DirectoryAddress | ServerAddress;

/** A datastore in a directory. */
export interface DirectoryAddress {
  /** Tells it from one of a server. */
  readonly kind: "directory";
  /** The directory. */
  readonly path: string;
  /** Name under which a server on this machine serves it; see `DatastoreOptions`. */
  readonly serverStore?: string | undefined;
}

/** A datastore of a server, which this process is logged in to. */
export interface ServerAddress {
  /** Tells it from a directory. */
  readonly kind: "server";
  /** The repository as text, for messages. */
  readonly name: string;
  /** Name of the datastore. */
  readonly store: string;
  /** Who is logged in. */
  readonly authId: string;
  /** The mailbox of the network thread. */
  readonly mailbox: SharedArrayBuffer;
  /** Where chunks are kept that were read. Default: nowhere. */
  readonly cache?: ChunkDiskCacheAddress | undefined;
}

/** Opens a datastore. @throws what `Datastore.open()` throws */
export function openSnapshotStore(
  address: StoreAddress,
  access: "read" | "write" = "read",
): Datastore | RemoteStore {
  if (address.kind === "directory") {
    const { path, serverStore } = address;
    return Datastore.open(path, { access, serverStore });
  }
  const { mailbox, ...names } = address;
  return new RemoteStore({ ...names, link: new NetworkLink(mailbox), access });
}
