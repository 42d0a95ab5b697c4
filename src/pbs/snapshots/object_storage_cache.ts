/**
 * Whether a directory is no whole datastore but a server's cache of one whose chunks are in object
 * storage (4.x). What is judged by the chunks that lie in it would be judged wrongly: those that
 * the server has evicted are empty files.
 *
 * @module
 */

import { DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { Failure, StateError } from "#src/errors.ts";
import { ROOT_NAMESPACE, snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import { isIndexName, scanIndex } from "../reading/index_scan.ts";
import type { OpenStore } from "./open_store.ts";
import { listGroups, listNamespaces, listSnapshots } from "./store_listing.ts";

/** So many chunks are looked at. */
const SAMPLE_SIZE = 2000;
/** A crash may leave empty files, too, but not as many: so many, and one in so many, are a sign. */
const EMPTY_MIN = 2;
const EMPTY_SHARE = 4;

/** The error for what must not be done with a cache. @param sign how it was recognised */
export function cacheError(storePath: string, sign: string): StateError {
  return new StateError(
    "object-storage",
    `"${storePath}" is a server's cache of a datastore on object storage: ${sign}`,
    { hint: "Let its server do that: chunks that are not in the cache count, too" },
  );
}

/**
 * How many of the chunks that the oldest snapshots need are empty files, as a message; undefined
 * where they are too few to be those of a cache.
 */
export function signOfCache(store: OpenStore): string | undefined {
  let [seen, empty] = [0, 0];
  try {
    const { files } = store.storage;
    for (const name of oldIndexes(store)) {
      scanIndex(files.open(name), files.pathOf(name), (bytes, offset) => {
        if (seen >= SAMPLE_SIZE) return;
        seen++;
        const digest = digestOf(bytes.subarray(offset, offset + DIGEST_SIZE));
        if (store.storage.chunks.storedSize(digest) === 0) empty++;
      });
      if (seen >= SAMPLE_SIZE) break;
    }
  } catch (error) {
    // Whoever needs what cannot be read says so.
    if (!(error instanceof Failure)) throw error;
  }
  return empty >= EMPTY_MIN && empty * EMPTY_SHARE >= seen
    ? `${empty} of ${seen} chunks that were looked at are empty (where a crash left them so, remove ` +
      "these files: they are lost)"
    : undefined;
}

/** Indexes of the oldest snapshot of each group: what is evicted first. */
function* oldIndexes(store: OpenStore): Generator<string> {
  for (const ns of listNamespaces(store, ROOT_NAMESPACE)) {
    for (const group of listGroups(store, ns)) {
      const oldest: SnapshotId | undefined = listSnapshots(store, group)[0];
      if (oldest === undefined) continue;
      const folder = snapshotDirectory(oldest);
      for (const { name } of store.storage.files.list(folder)) {
        if (isIndexName(name)) yield `${folder}/${name}`;
      }
    }
  }
}
