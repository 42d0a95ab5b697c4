/**
 * Opens storages from their descriptions, in any thread.
 *
 * @module
 */

import { Openers } from "#src/threads/openers.ts";
import { ServerStorage, type ServerStorageDescription } from "../client/server_storage.ts";
import { type DirectoryDescription, DirectoryStorage } from "./directory/directory_storage.ts";
import type { Storage, StorageDescription } from "./storage.ts";

const storages = new Openers<Storage>("storage");
storages.add<DirectoryDescription>("directory", (known) => DirectoryStorage.open(known));
storages.add<ServerStorageDescription>("server", (known) => new ServerStorage(known));

/**
 * Makes a kind of storage known to this thread. A thread whose module does not do that opens local
 * directories and those of servers only.
 *
 * @param open is given descriptions of this kind
 */
export function registerStorage<Known extends StorageDescription>(
  kind: Known["kind"],
  open: (description: Known) => Storage,
): void {
  storages.add(kind, open);
}

/**
 * Opens a storage. Nothing but its kind need be right before it is used. @throws {UsageError} when
 * its kind is not known here @throws {OsError}
 */
export function openStorage(description: StorageDescription): Storage {
  return storages.open(description);
}
