/**
 * Opens what keeps chunks from its description, in any thread.
 *
 * @module
 */

import { Openers } from "#src/threads/openers.ts";
import { ServerKeeper, type ServerKeeperDescription } from "../client/server_keeper.ts";
import type { ChunkKeeper, KeeperDescription } from "./chunk_keeper.ts";
import { StorageKeeper, type StorageKeeperDescription } from "./storage_keeper.ts";

const keepers = new Openers<ChunkKeeper>("keeper of chunks");
keepers.add<StorageKeeperDescription>("storage", (known) => new StorageKeeper(known));
keepers.add<ServerKeeperDescription>("server", (known) => new ServerKeeper(known));

/**
 * Makes a kind of keeper known to this thread. A thread whose module does not do that keeps chunks
 * in storages and on servers only.
 *
 * @param open is given descriptions of this kind
 */
export function registerKeeper<Known extends KeeperDescription>(
  kind: Known["kind"],
  open: (description: Known) => ChunkKeeper,
): void {
  keepers.add(kind, open);
}

/** Opens a keeper. @throws {UsageError} when its kind is not known here @throws {OsError} */
export function openKeeper(description: KeeperDescription): ChunkKeeper {
  return keepers.open(description);
}
