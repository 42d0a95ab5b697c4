/**
 * Opens storages from their descriptions, in any thread.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { type DirectoryDescription, DirectoryStorage } from "./directory/directory_storage.ts";
import type { Storage, StorageDescription } from "./storage.ts";

const openers = new Map<string, (description: never) => Storage>([
  ["directory", (description: DirectoryDescription) => DirectoryStorage.open(description)],
]);

/**
 * Makes a kind of storage known to this thread. A thread whose module does not do that opens local
 * directories only.
 *
 * @param open is given descriptions of this kind
 */
export function registerStorage<Description extends StorageDescription>(
  kind: Description["kind"],
  open: (description: Description) => Storage,
): void {
  openers.set(kind, open);
}

/**
 * Opens a storage. Nothing but its kind need be right before it is used. @throws {UsageError} when
 * its kind is not known here @throws {OsError}
 */
export function openStorage(description: StorageDescription): Storage {
  const open = openers.get(description.kind);
  if (open !== undefined) return open(description as never);
  throw new UsageError(`Cannot open a storage of kind "${description.kind}" in this thread`);
}
