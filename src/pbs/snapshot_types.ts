/**
 * What a place of snapshots says of them, and what it is told.
 *
 * @module
 */

import type { StateError } from "#src/errors.ts";
import type { ChunkThread } from "#src/chunking/worker_threads.ts";
import type { WaitGate } from "#src/io/wait_gate.ts";
import type { CryptConfig } from "./crypt/crypt_config.ts";
import type { CryptMode } from "./format/crypt.ts";
import type { SharedChunkMemory } from "./reading/shared_chunk_memory.ts";
import type { GroupId, SnapshotId } from "./format/snapshot_path.ts";

/** A backup group. */
export interface GroupInfo {
  /** Namespace, type and id. */
  readonly id: GroupId;
  /** Auth id that owns the group, such as `root@pam`; undefined where the file is missing. */
  readonly owner: string | undefined;
  /** What people wrote about the group, its first line as a title; undefined without notes. */
  readonly notes: string | undefined;
  /** Newest first; unfinished ones included. */
  readonly snapshots: readonly SnapshotId[];
  /** The newest finished snapshot. */
  readonly last: SnapshotId | undefined;
  /** Why owner or notes could not be read. */
  readonly error: unknown;
}

/** A file of a snapshot. */
export interface SnapshotFile {
  /** With its extension: `root.pxar.didx`, `vm.conf.blob`. */
  readonly name: string;
  /**
   * As in the manifest (bytes of the stream for an index); of the file itself where the manifest
   * does not list it.
   */
  readonly size: number;
  /** Undefined where the manifest does not list it. */
  readonly cryptMode: CryptMode | undefined;
}

/** A snapshot as listed. */
export interface SnapshotInfo {
  /** Group and time. */
  readonly id: SnapshotId;
  /** Auth id that owns the group; undefined where the file is missing. */
  readonly owner: string | undefined;
  /** Neither pruned nor removed until that is taken back. */
  readonly isProtected: boolean;
  /** Whether it has a manifest. */
  readonly isFinished: boolean;
  /** Files of the manifest, then those the directory has besides. */
  readonly files: readonly SnapshotFile[];
  /** Sum of the manifest's sizes. */
  readonly size: number | undefined;
  /** What people wrote about the snapshot; undefined without notes. */
  readonly notes: string | undefined;
  /** Fingerprint of the key that it was made with. */
  readonly keyFingerprint: string | undefined;
  /** Result of the last verification and its task; undefined where there was none. */
  readonly verifyState: { readonly state: string; readonly upid: string } | undefined;
  /** Why the manifest could not be read. */
  readonly error: unknown;
}

/** How a snapshot is read. */
export interface OpenSnapshotOptions {
  /** Needed for encrypted snapshots; checked against the manifest where that is signed. */
  readonly crypt?: CryptConfig | undefined;
  /**
   * Whether a snapshot that was made with a key may be opened without: for its manifest and plain
   * parts. Default: false, as for the real client.
   */
  readonly isKeyOptional?: boolean;
  /** Memory for decoded chunks. Default: 64 MiB. */
  readonly cacheBytes?: number;
  /**
   * A thread that loads the next chunks while the caller is busy with others. Default: none. Close
   * the reader to end it.
   */
  readonly readAhead?: ReadAheadThread | undefined;
  /** Takes the place of a cache and read-ahead of its own. Needs FFI. Default: none. */
  readonly shared?: SharedChunks;
}

/** Decoded chunks that several threads share, each with a reader of its own. */
export interface SharedChunks {
  /** Made once with `createSharedChunkMemory()`, and posted to each thread. */
  readonly memory: SharedChunkMemory;
  /** The thread that reads ahead for all. Default: none. */
  readonly loader?: ReadAheadThread | undefined;
  /** Is told of waits for the datastore. Default: none. */
  readonly gate?: WaitGate;
}

/** How a reader gets a thread, which is started when much is read in order. */
export interface ReadAheadThread {
  /**
   * Starts a thread with this name, from a module that calls `serveDatastoreThread`. Default: from
   * one of this package.
   */
  readonly spawn?: (name: string) => Worker;
  /** It is started when so many bytes were read in order. Default: 24 MiB. */
  readonly startBytes?: number;
}

/** How a backup gets threads. For many small backups: `startStoreThreads`. */
export interface StoreWorkers {
  /** Threads besides the caller's. */
  readonly count: number;
  /**
   * Starts a thread with this name, from a module that calls `serveDatastoreThread`. Default: from
   * one of this package.
   */
  readonly spawn?: (name: string) => ChunkThread;
  /** They are started when so many bytes have been cut. Default: 16 MiB. */
  readonly startBytes?: number;
}

/** What a new snapshot is to be. */
export interface NewSnapshotOptions {
  /** A group that does not exist is made. */
  readonly group: GroupId;
  /** Unix seconds. Left out: now, or the next second that is free. */
  readonly time?: number | undefined;
  /** Default: `none` without a key, else `encrypt`. */
  readonly cryptMode?: CryptMode;
  /** Needed for the modes `encrypt` and `sign-only`. */
  readonly crypt?: CryptConfig | undefined;
  /**
   * Owner of a new group. Default: `root@pam`. Where given, an existing group must belong to it.
   */
  readonly owner?: string | undefined;
  /** Threads that help. Default: everything is done in the caller's thread. */
  readonly workers?: StoreWorkers | undefined;
  /** Memory for the plain bytes of chunks in hand. */
  readonly budgetBytes?: number;
}

/** A snapshot that was not removed with its group. */
export interface KeptSnapshot {
  /** The snapshot that is still there. */
  readonly id: SnapshotId;
  /** `protected` or `locked`. */
  readonly reason: StateError;
}
