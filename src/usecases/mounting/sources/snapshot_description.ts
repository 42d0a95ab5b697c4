/**
 * A mounted archive or image of a snapshot, as plain values that are sent to the FUSE workers.
 *
 * @module
 */

import type { SharedChunkMemory } from "#src/pbs/reading/shared_chunk_memory.ts";
import type { StorageDescription } from "#src/pbs/storage/storage.ts";
import type { SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { ServedTreeFacts } from "./served_tree.ts";

/** What is mounted. */
export interface SnapshotDescription extends ServedTreeFacts {
  readonly kind: "snapshot";
  /** Where the datastore is kept. */
  readonly storage: StorageDescription;
  readonly snapshot: SnapshotId;
  /** Name of the archive or image. */
  readonly archive: string;
  /** The 32 bytes of the encryption key. */
  readonly key: Uint8Array | undefined;
  /** Decoded chunks of all threads. */
  readonly chunks: SharedChunkMemory;
  /** Whose the file of an image is. */
  readonly owner: { readonly uid: number; readonly gid: number };
}
