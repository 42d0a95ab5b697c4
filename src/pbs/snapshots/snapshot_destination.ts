/**
 * Where the parts of a new snapshot go: a storage, or a server's session.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { ChunkIndex, EncodedIndex } from "../format/chunk_index.ts";
import type { Manifest } from "../format/manifest.ts";
import type { SnapshotId } from "../format/snapshot_path.ts";
import type { SnapshotReader } from "../ports.ts";
import type { KeeperDescription } from "../writing/chunk_keeper.ts";

/** An index that is to be written. */
export interface NewIndex {
  /** With its extension. */
  readonly name: string;
  /** Bytes of an image; undefined where they turn out at the end. */
  readonly size: number | undefined;
  /** The index of that name in the previous snapshot, when it can be used. */
  readonly previous: () => ChunkIndex | undefined;
}

/** An index while it is written. */
export interface OpenIndex {
  /** Told to the keeper with each chunk. Default: 0. */
  readonly streamNumber?: number;
  /** Is told of each chunk in order, and where it begins. */
  readonly appended?: (digest: ChunkDigest, offset: number) => void;
  /** Writes the index of a stream of so many bytes. */
  readonly close: (index: EncodedIndex, size: number) => void;
}

/** Where a chunk can be had that is to be part of an index. */
export interface StoredOrigin {
  /** See `ChunkOrigin`. */
  readonly snapshot: SnapshotReader;
  /** Length of its plain data in bytes. */
  readonly size: number;
  /** Of the index. */
  readonly streamNumber: number;
}

/** See the module. A destination is open until {@link commit} or {@link remove}. */
export interface SnapshotDestination {
  /** Group and time of the new snapshot. */
  readonly id: SnapshotId;
  /** The last snapshot of the group, where it can be the base of the new one. */
  readonly previous: SnapshotReader | undefined;
  /**
   * What keeps the chunks, in any thread.
   *
   * @param isGuessing whether it may take a chunk for new without looking. Default: true
   */
  keeper(isEncrypted: boolean, isGuessing?: boolean): KeeperDescription;
  /** Begins an index. */
  openIndex(index: NewIndex): OpenIndex;
  /** Writes a blob. */
  writeBlob(name: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** See `SnapshotWriter.keepChunk`. */
  keepChunk(digest: ChunkDigest, isEncrypted: boolean, origin?: StoredOrigin): boolean;
  /**
   * Makes the snapshot a finished one.
   *
   * @param sent the blob of the manifest without its counts, as a server gets it
   * @param manifest with its counts
   */
  commit(sent: Uint8Array<ArrayBuffer>, manifest: Manifest): void;
  /** Removes what there is of the snapshot. */
  remove(): void;
}
