/**
 * The indexes of a snapshot that is being written.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { DynamicIndex } from "../format/dynamic_index.ts";
import { FixedIndex } from "../format/fixed_index.ts";
import { snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { type OpenStore, writableParts } from "./open_store.ts";

/**
 * Writes a finished index: nobody sees a part of it.
 *
 * @throws {StateError} `not-found` when it was found out that a chunk of it is missing
 * @throws {OsError}
 */
export function writeIndex(
  store: OpenStore,
  snapshot: SnapshotId,
  name: string,
  bytes: Uint8Array<ArrayBuffer>,
): void {
  const { files, writerLock } = writableParts(store);
  if (writerLock.isHeldExclusively) touchChunks(store, name, bytes);
  files.replace(`${snapshotDirectory(snapshot)}/${name}`, bytes);
}

/**
 * Garbage is being collected by this process, which may have looked for indexes here already: then
 * the base has kept the chunks that were taken over from it, and it can be removed as soon as this
 * snapshot is finished.
 */
function touchChunks(store: OpenStore, name: string, bytes: Uint8Array<ArrayBuffer>): void {
  const index = name.endsWith(".fidx") ? FixedIndex.parse(bytes) : DynamicIndex.parse(bytes);
  for (let position = 0; position < index.count; position++) {
    const digest = index.digestOf(position);
    if (store.storage.chunks.touch(digest) >= 0) continue;
    throw new StateError("not-found", `Cannot store "${name}": chunk ${digest} is missing`);
  }
}
