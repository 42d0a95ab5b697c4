/**
 * Makes the storages of the tests known to a thread.
 *
 * @module
 */

import { registerStorage } from "#src/pbs/storage/open_storage.ts";
import { type MemoryDescription, MemoryStorage } from "./_memory_storage.ts";
import { type UnreliableDescription, UnreliableStorage } from "./_unreliable_storage.ts";

registerStorage<MemoryDescription>("memory", (description) => new MemoryStorage(description));
registerStorage<UnreliableDescription>(
  "unreliable",
  (description) => new UnreliableStorage(description),
);
