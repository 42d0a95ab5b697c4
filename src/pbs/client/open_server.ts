/**
 * The datastore of a server, for programs that use this library.
 *
 * @module
 */

import { NETWORK_ROLE } from "#src/threads/network_thread.ts";
import { type SpawnThread, startThread, threadName } from "#src/threads/thread.ts";
import type { SnapshotStore } from "../ports.ts";
import { startStoreThread } from "../thread_start.ts";
import type { ChunkDiskCacheAddress } from "./chunk_disk_cache.ts";
import { NetworkLink } from "./network_link.ts";
import { createNetworkMailbox } from "./network_mailbox.ts";
import { RemoteStore } from "./remote_store.ts";
import type { ServerAddress } from "../store_address.ts";
import type { ServerLogin } from "./server_login.ts";

/** Which datastore of which server, and how it is used. */
export interface OpenServerOptions {
  /** Where the server is, and who logs in. */
  readonly login: ServerLogin;
  /** Name of the datastore. */
  readonly store: string;
  /** Default: `read`. */
  readonly access?: "read" | "write";
  /** Where chunks are kept that were read. Default: nowhere. */
  readonly cache?: ChunkDiskCacheAddress | undefined;
  /**
   * Starts the thread that has the connections, from a module that calls `serveDatastoreThread`.
   * Default: from one of this package.
   */
  readonly spawn?: SpawnThread;
}

/**
 * Logs in to a server. What is opened blocks the calling thread while it waits for the server, as
 * a datastore of this machine does while it waits for the disk; close it to end the connections.
 * Needs `--allow-net` and FFI.
 *
 * @throws {AuthError} when the server does not let us in; `certificate` when nobody vouches for it
 * @throws {ProtocolError} when there is no way to it
 */
export function openServer(options: OpenServerOptions): SnapshotStore {
  const { access } = options;
  const { address, end } = connectStore(options);
  const { mailbox, ...names } = address;
  return new RemoteStore({ ...names, link: new NetworkLink(mailbox), access, end });
}

/** A datastore of a server that this process is logged in to. */
export interface ServerConnection {
  /** As all threads know it. */
  readonly address: ServerAddress;
  /** Ends the connections. */
  end(): void;
}

/** Logs in; see {@link openServer}. @throws the same */
export function connectStore(
  { login, store, cache, spawn = startStoreThread }: OpenServerOptions,
): ServerConnection {
  const mailbox = createNetworkMailbox();
  startThread(spawn(threadName(NETWORK_ROLE, 0)), { mailbox, server: login }, []);
  const link = new NetworkLink(mailbox);
  try {
    link.ask({ what: "log-in", changes: {} });
  } catch (error) {
    link.stop();
    throw error;
  }
  const { authId, host, port } = login;
  const name = `${authId}@${host.includes(":") ? `[${host}]` : host}:${port}:${store}`;
  return {
    address: { kind: "server", name, store, authId, mailbox, cache },
    end: () => link.stop(),
  };
}
