/**
 * Stores the same chunks as any other process that runs this. Prints their digests.
 *
 * @module
 */

import type { DirectoryDescription } from "#src/pbs/storage/directory/directory_storage.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";
import { describeStorageKeeper } from "#src/pbs/writing/storage_keeper.ts";
import { StoreChunkHandler } from "#src/pbs/writing/store_chunk_handler.ts";
import { Random } from "#tests/support/property_random.ts";

const CHUNK_COUNT = 500;
const CHUNK_SIZE = 5000;

const storage: DirectoryDescription = {
  kind: "directory",
  path: Deno.args[0]!,
  writing: { owner: { uid: Deno.uid() ?? 0, gid: Deno.gid() ?? 0 }, syncLevel: "none" },
};
const handler = new StoreChunkHandler({
  keeper: describeStorageKeeper(storage, false),
  key: undefined,
});
const plain = nativeBufferOf(new Random(99).bytes(CHUNK_COUNT * CHUNK_SIZE));
const digests = Array.from(
  { length: CHUNK_COUNT },
  (_, number) => handler.handle(plain, number * CHUNK_SIZE, CHUNK_SIZE).digest,
);
handler.close();
console.log(JSON.stringify(digests));
