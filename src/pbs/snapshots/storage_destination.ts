/**
 * A new snapshot in a storage.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { blobHeaderSize } from "../format/blob.ts";
import type { Manifest } from "../format/manifest.ts";
import { snapshotDirectory, type SnapshotId } from "../format/snapshot_path.ts";
import type { KeeperDescription } from "../writing/chunk_keeper.ts";
import { describeStorageKeeper } from "../writing/storage_keeper.ts";
import { writeIndex } from "./index_file.ts";
import type { LocalSnapshotReader } from "./local_snapshot_reader.ts";
import { encodeManifest, finishSnapshot } from "./manifest_file.ts";
import { type OpenStore, writableParts } from "./open_store.ts";
import type { NewIndex, OpenIndex, SnapshotDestination } from "./snapshot_destination.ts";
import { removeEmptyGroup, removeSnapshotDirectory } from "./snapshot_removal.ts";

/** What was prepared for a snapshot. */
export interface SnapshotPreparation {
  readonly id: SnapshotId;
  readonly previous: LocalSnapshotReader | undefined;
  /** Whether the group was made for it. */
  readonly isNewGroup: boolean;
  /** Gives back the locks of the group, the snapshot and the store. */
  readonly release: () => void;
}

/** See {@link SnapshotDestination}. */
export class StorageDestination implements SnapshotDestination {
  readonly #store: OpenStore;
  readonly #preparation: SnapshotPreparation;

  constructor(store: OpenStore, preparation: SnapshotPreparation) {
    this.#store = store;
    this.#preparation = preparation;
  }

  get id(): SnapshotId {
    return this.#preparation.id;
  }

  get previous(): LocalSnapshotReader | undefined {
    return this.#preparation.previous;
  }

  keeper(isEncrypted: boolean, isGuessing?: boolean): KeeperDescription {
    return describeStorageKeeper(this.#store.storage.description, isEncrypted, isGuessing);
  }

  openIndex({ name }: NewIndex): OpenIndex {
    return {
      close: ({ bytes }) => writeIndex(this.#store, this.id, name, bytes),
    };
  }

  writeBlob(name: string, bytes: Uint8Array<ArrayBuffer>): void {
    writableParts(this.#store).files.replace(`${snapshotDirectory(this.id)}/${name}`, bytes);
  }

  keepChunk(digest: ChunkDigest, isEncrypted: boolean): boolean {
    // Garbage collection spares what was touched since the oldest writer of its process began.
    return this.#store.storage.chunks.touch(digest) > blobHeaderSize(isEncrypted);
  }

  commit(_sent: Uint8Array<ArrayBuffer>, manifest: Manifest): void {
    finishSnapshot(this.#store, this.id, encodeManifest(this.#store.codec, manifest));
    this.#end();
  }

  remove(): void {
    try {
      removeSnapshotDirectory(this.#store, this.id);
      if (this.#preparation.isNewGroup) removeEmptyGroup(this.#store, this.id.group);
    } finally {
      this.#end();
    }
  }

  #end(): void {
    this.previous?.close();
    this.#preparation.release();
  }
}
