/**
 * A place that keeps snapshots, and what backing up and restoring need of it: a local datastore
 * implements it, and a server's client can. Everything is synchronous.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { KnownChunk } from "#src/chunking/chunk_stream.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { Sink } from "#src/io/streams.ts";
import type { CryptMode } from "./format/crypt.ts";
import type { DynamicIndex } from "./format/dynamic_index.ts";
import type { FixedIndex } from "./format/fixed_index.ts";
import type { Manifest } from "./format/manifest.ts";
import type { GroupId, Namespace, SnapshotId } from "./format/snapshot_path.ts";
import type {
  GroupInfo,
  KeptSnapshot,
  NewSnapshotOptions,
  OpenSnapshotOptions,
  SnapshotInfo,
} from "./snapshot_types.ts";
import type { PruneDecision, RetentionOptions } from "./snapshots/prune.ts";
import type { StorageSpace } from "./storage/storage.ts";

/** Gives plain chunks. */
export interface ChunkSource {
  /**
   * Puts the plain data of a chunk into `target.bytes` from `start` on, `size` bytes. CRC,
   * authentication tag, digest and length are verified each time; on an error the region holds
   * anything.
   *
   * @param size length of the chunk, as its index says
   * @throws {StateError} `not-found` when there is no such chunk
   * @throws {IntegrityError} when a checksum, tag, digest or length is wrong, or the chunk's
   *   encryption is not what the snapshot says
   * @throws {FormatError} when it is no blob
   * @throws {AuthError} when it is encrypted and there is no key
   * @throws {OsError} when it cannot be read
   */
  load(digest: ChunkDigest, size: number, target: NativeBuffer, start: number): void;
  /** Whether there is a chunk of that name; what is in it is not looked at. @throws {OsError} */
  has(digest: ChunkDigest): boolean;
}

/** A finished snapshot, open for reading. It is not removed while it is open. */
export interface SnapshotReader {
  /** Group and time, with the namespace. */
  readonly id: SnapshotId;
  /** Checked against the key that the snapshot was opened with. */
  readonly manifest: Manifest;
  /** Crypt mode of the whole snapshot; see {@link CryptMode}. */
  readonly cryptMode: CryptMode;
  /** Chunks of the snapshot's indexes, decrypted. */
  readonly chunks: ChunkSource;
  /**
   * The plain content of a `*.blob` file of the manifest (or of `client.log.blob`), after its size
   * and checksum were compared with the manifest.
   *
   * @throws {StateError} `not-found` when the snapshot has no such file
   * @throws {IntegrityError | FormatError | AuthError | OsError}
   */
  blob(name: string): Uint8Array<ArrayBuffer>;
  /**
   * A `*.didx` file of the manifest, after its size and recomputed checksum were compared with the
   * manifest.
   *
   * @throws {StateError} `not-found` when the snapshot has no such file
   * @throws {IntegrityError | FormatError | OsError}
   */
  dynamicIndex(name: string): DynamicIndex;
  /** A `*.fidx` file of the manifest; see {@link dynamicIndex}. */
  fixedIndex(name: string): FixedIndex;
  /**
   * The bytes that a `*.didx` or `*.fidx` file describes. Chunks are loaded when their bytes are
   * asked for, and kept within a budget. Sources of one reader share the budget and may be used in
   * turn.
   *
   * @throws what {@link dynamicIndex} throws; reading throws what {@link ChunkSource.load} throws
   */
  openArchive(name: string): ByteSource;
  /**
   * A chunk as it is stored, checked as far as that is possible without a key; good until the next
   * call.
   *
   * @param size length of its plain data, as an index of the snapshot says
   * @throws as {@link ChunkSource.load}
   */
  storedChunk(digest: ChunkDigest, size: number): Uint8Array;
  /** Ends reading ahead, and lets the snapshot be removed again. */
  close(): void;
}

/** How a dynamic stream is cut. */
export interface DynamicStreamOptions {
  /** `payload`: cuts follow {@link IndexedStream.suggestBoundary}. */
  readonly kind: "dynamic" | "payload";
  /** Average chunk size in bytes, a power of two. */
  readonly averageSize: number;
}

/** What became of a stream. */
export interface IndexedStreamSummary {
  /** Name of the index file. */
  readonly name: string;
  /** Bytes of the stream. */
  readonly size: number;
  /** Checksum of the index, as in the manifest. */
  readonly checksum: string;
  /** Entries of the index. */
  readonly chunkCount: number;
  /** Chunks that the store did not have. */
  readonly newChunkCount: number;
  /** Plain bytes of the new chunks. */
  readonly newBytes: number;
  /** Bytes that the new chunks take in the store. */
  readonly newStoredBytes: number;
  /** Bytes of chunks that were not read at all; see {@link IndexedStream.inject}. */
  readonly injectedBytes: number;
}

/** A stream that is cut into chunks, which go to the store and into an index file. */
export interface IndexedStream extends Sink {
  /** Bytes so far, injected ones included. */
  readonly position: number;
  /** Takes bytes from an open host file; see {@link Sink.copyFrom}. */
  copyFrom(fd: number, offset: number, size: number): number;
  /**
   * Of a payload stream: a file begins at this position, which is a good place to cut. Positions
   * grow.
   */
  suggestBoundary(position: number): void;
  /** Of a payload stream: cuts here and appends known chunks without reading them. */
  inject(chunks: readonly KnownChunk[]): void;
  /**
   * Cuts the last chunk, writes the index file and lists it in the manifest. Archives are listed in
   * the order in which they are finished.
   *
   * @throws {OsError} when something cannot be written
   */
  finish(): IndexedStreamSummary;
}

/** How a blob is stored. */
export interface BlobOptions {
  /** Whether compression is tried. Default: true. */
  readonly compress?: boolean;
  /** Whether the blob is encrypted where the snapshot is. Default: true. */
  readonly encrypt?: boolean;
}

/** What a finished backup says about itself. */
export interface SnapshotSummary {
  /** Group and time that the snapshot got. */
  readonly id: SnapshotId;
  /** As it was written, with the statistics. */
  readonly manifest: Manifest;
  /** Chunks of all indexes that the store did not have. */
  readonly newChunkCount: number;
  /** Plain bytes of the new chunks. */
  readonly newBytes: number;
  /** Bytes that the new chunks take in the store. */
  readonly newStoredBytes: number;
  /** Chunks that were there already. */
  readonly knownChunkCount: number;
}

/** Where a chunk can be had that is to become part of a snapshot. */
export interface ChunkOrigin {
  /** An index of it names the chunk, and has been read. */
  readonly snapshot: SnapshotReader;
  /** Length of its plain data in bytes. */
  readonly size: number;
  /** The stream that it is put into. */
  readonly stream: IndexedStream;
}

/**
 * A snapshot in the making. Nothing of it can be taken for a finished snapshot before
 * {@link finish} has returned; a process that ends before leaves an unfinished snapshot at most.
 */
export interface SnapshotWriter {
  /** Known from the start: the snapshot's directory is made and locked. */
  readonly id: SnapshotId;
  /** Crypt mode of everything that is written. */
  readonly cryptMode: CryptMode;
  /** Fingerprint of the key that is used; undefined in mode `none`. */
  readonly keyFingerprint: string | undefined;
  /**
   * The last finished snapshot of the group, for incremental backups. Undefined where there is
   * none, or where it cannot be a base: its verification failed, or it was made with another key.
   */
  readonly previous: SnapshotReader | undefined;
  /**
   * Starts `<archive>.didx`. Several streams may be open at a time.
   *
   * @throws {UsageError} when the name is not that of a dynamic index, or in use
   * @throws {OsError}
   */
  openDynamic(name: string, options: DynamicStreamOptions): IndexedStream;
  /**
   * Starts `<image>.fidx` of exactly `size` bytes.
   *
   * @param size undefined: what turns out at the end, more than 0
   * @param chunkSize bytes, a power of two
   * @throws as {@link openDynamic}
   */
  openFixed(name: string, size: number | undefined, chunkSize: number): IndexedStream;
  /**
   * Writes a `*.blob` file and lists it in the manifest. The client's log (`client.log.blob`) is
   * written but not listed.
   *
   * @returns bytes of the file
   * @throws {UsageError} when the name is not that of a blob, or in use
   * @throws {LimitError} when the content is larger than a blob may be
   * @throws {OsError}
   */
  addBlob(name: string, content: Uint8Array<ArrayBuffer>, options?: BlobOptions): number;
  /**
   * Keeps a chunk from being collected until the snapshot is finished, though nothing else may need
   * it any more. Chunks of {@link previous} are kept without it.
   *
   * @param origin where it can be read: a server lets a snapshot name only chunks that it was sent
   *   for it, or that {@link previous} has
   * @returns false when there is no such chunk
   * @throws {OsError}
   * @throws what {@link SnapshotReader.storedChunk} throws
   */
  keepChunk(digest: ChunkDigest, origin?: ChunkOrigin): boolean;
  /**
   * Writes the manifest, signed where a key is used, and with it makes the snapshot a finished one.
   * On return it is as durable as the store's policy says.
   *
   * @throws {StateError} `busy` when a stream is open
   * @throws {OsError}
   */
  finish(): SnapshotSummary;
  /** Gives the snapshot up and removes what there is of it. Does nothing after {@link finish}. */
  abort(): void;
}

/**
 * A place that keeps snapshots: a local datastore, or a server's. Every call blocks until it is
 * done; where another thread has the connection to a server, the caller waits for that thread.
 *
 * What changes something throws `UsageError` where it is open for reading only; anything may throw
 * `OsError`, and behind a network `ProtocolError`.
 * `tests/pbs/snapshot_store_conformance.ts` says what each must do.
 */
export interface SnapshotStore {
  /** How it was opened. */
  readonly access: "read" | "write";
  /** What whoever writes should know, such as locks that could not be taken. */
  readonly warnings: readonly string[];
  /** The directory that it is in; undefined where it is not on this machine. */
  readonly localPath: string | undefined;
  /**
   * Namespaces at and below one, parents first.
   *
   * @param below default: the root
   * @throws {StateError} `not-found`
   */
  namespaces(below?: Namespace): Namespace[];
  /** Makes a namespace. @throws {StateError} `exists`, or `not-found` when its parent does not */
  createNamespace(namespace: Namespace): void;
  /**
   * Removes an empty namespace.
   *
   * @param isRecursive all that is in it goes too
   * @throws {StateError} `busy` when something is left, or `not-found`
   */
  removeNamespace(namespace: Namespace, isRecursive?: boolean): void;
  /** Groups of a namespace, by type and id. @throws {StateError} `not-found` */
  groups(namespace: Namespace): GroupId[];
  /** What is known of a group. @throws {StateError} `not-found` */
  groupInfo(group: GroupId): GroupInfo;
  /**
   * Changes the owner of a group.
   *
   * @throws {StateError} `not-found`, or `locked`
   * @throws {UsageError} when it cannot be one
   */
  setOwner(group: GroupId, owner: string): void;
  /**
   * Changes the notes of a group; empty ones are removed. @throws {StateError} `not-found` @throws
   * {LimitError}
   */
  setGroupNotes(group: GroupId, notes: string): void;
  /**
   * Snapshots of a group, oldest first; unfinished ones included. @throws {StateError} `not-found`
   */
  snapshots(group: GroupId): SnapshotId[];
  /** What is known of a snapshot. @throws {StateError} `not-found` */
  snapshotInfo(snapshot: SnapshotId): SnapshotInfo;
  /**
   * The manifest of a finished snapshot, its signature not checked. @throws {StateError}
   * `not-found`
   */
  manifest(snapshot: SnapshotId): Manifest;
  /**
   * Opens a finished snapshot.
   *
   * @throws {StateError} `not-found`, or `locked` while it is being removed
   * @throws {AuthError} `missing-key` or `wrong-key`
   * @throws {IntegrityError | FormatError}
   */
  openSnapshot(snapshot: SnapshotId, options?: OpenSnapshotOptions): SnapshotReader;
  /**
   * Starts a snapshot.
   *
   * @throws {StateError} `locked`, `not-found` when there is no such namespace, `exists` when the
   *   time is taken or not after the last snapshot's, `foreign-owner`, `future-snapshot` when the
   *   last one is ahead of the clock and no time is given
   * @throws {UsageError} when the options do not fit together
   */
  startSnapshot(options: NewSnapshotOptions): SnapshotWriter;
  /**
   * The snapshot that would be started now.
   *
   * @param time unix seconds. Default: the present, or the next second that is free
   * @throws {StateError} as {@link startSnapshot}
   */
  plannedSnapshot(group: GroupId, time?: number): SnapshotId;
  /**
   * Changes the notes of a snapshot; empty ones are removed. @throws {StateError} `not-found`, or
   * `locked` @throws {LimitError}
   */
  setNotes(snapshot: SnapshotId, notes: string): void;
  /**
   * Protects a snapshot from removal, or ends that. @throws {StateError} `not-found`, or `locked`
   */
  setProtected(snapshot: SnapshotId, isProtected: boolean): void;
  /**
   * Stores the client's log of a finished snapshot; encrypted where a key is given.
   *
   * @throws {StateError} `exists` when there is one, `not-found`, or `locked`
   */
  addClientLog(
    snapshot: SnapshotId,
    content: Uint8Array<ArrayBuffer>,
    options?: OpenSnapshotOptions,
  ): void;
  /**
   * Removes a snapshot, and its group when that is empty then.
   *
   * @throws {StateError} `not-found`, `locked` while it is read, written or base of a backup, or
   *   `protected`
   */
  forget(snapshot: SnapshotId): void;
  /**
   * Removes a group. Protected snapshots and those in use stay, and with them the group.
   *
   * @returns the snapshots that stayed
   * @throws {StateError} `not-found`, or `locked` when the group itself is in use
   */
  forgetGroup(group: GroupId): KeptSnapshot[];
  /**
   * What pruning a group would remove and why; newest first. Nothing is removed.
   *
   * @throws {StateError} `not-found`, `object-storage`
   * @throws {UsageError} for bad counts
   */
  planPrune(group: GroupId, keep: RetentionOptions): PruneDecision<SnapshotId>[];
  /** Space of what it is kept in. @throws {UsageError} where that cannot be known */
  status(): StorageSpace;
  /** Ends the use of it. Snapshots that are open stay readable. */
  close(): void;
}
