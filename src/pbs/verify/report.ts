/**
 * What is verified, how, and what is found.
 *
 * @module
 */

import type { CryptConfig } from "../crypt/crypt_config.ts";
import type { GroupId, Namespace, SnapshotId } from "../format/snapshot_path.ts";
import type { VerifyThreads } from "./threads.ts";

/** Faults of a snapshot that are kept. */
export const FAULTS_MAX = 1000;

/** What to verify. */
export type VerifyScope =
  /** Every group at and below a namespace; left out: of the whole datastore. */
  | { readonly kind: "namespace"; readonly namespace?: Namespace; readonly isRecursive?: boolean }
  | { readonly kind: "group"; readonly group: GroupId }
  | { readonly kind: "snapshot"; readonly snapshot: SnapshotId };

/** How to verify. */
export interface VerifyOptions {
  /**
   * Whether snapshots that have a result are passed over. Default: false for a snapshot, else true.
   */
  readonly ignoreVerified?: boolean | undefined;
  /** A result that is older than so many days does not count. Default: results do not age. */
  readonly outdatedAfterDays?: number | undefined;
  /**
   * Keys: the signatures of snapshots made with them are checked, and their encrypted chunks are
   * decrypted and compared with their digests. Without, encrypted chunks are checked by CRC only.
   */
  readonly crypts?: readonly CryptConfig[] | undefined;
  /** Threads to share the work with. Default: none. */
  readonly threads?: VerifyThreads | undefined;
  /** Name of the task. Default: a new one. */
  readonly upid?: string | undefined;
  /** Auth id in the name of the task. Default: `root@pam`. */
  readonly authId?: string;
  /** Name of the store in the name of the task. Default: the last part of its path. */
  readonly storeName?: string | undefined;
  /** Asked all the time whether to go on; what it throws ends the run. An AbortSignal is one. */
  readonly signal?: { throwIfAborted(): void };
  /** Called when a file begins and after each batch of its chunks. */
  readonly onProgress?: (progress: VerifyProgress) => void;
  /** Told of every fault when it is found. */
  readonly onFault?: (fault: VerifyFault) => void;
  /** Told of results that could not be saved, of snapshots in use, and of a key that fits none. */
  readonly onWarning?: (message: string) => void;
  /** Unix seconds. Default: the system's clock. */
  readonly now?: () => number;
}

/** How far a verification is. */
export interface VerifyProgress {
  /** The snapshot that is verified. */
  readonly snapshot: SnapshotId;
  /** File of the snapshot that is verified. */
  readonly file: string | undefined;
  /** Snapshots done, of all. */
  readonly done: number;
  /** Snapshots that are verified in this run. */
  readonly total: number;
  /** Chunks of the file done, of those that were not verified before. */
  readonly chunksDone: number;
  /** Chunks of the file that were not verified before. */
  readonly chunksTotal: number;
}

/** Something that is not as it should be. */
export interface VerifyFault {
  /** Snapshot that the fault was found in; others may share the chunk. */
  readonly snapshot: SnapshotId;
  /** File of the snapshot; undefined for the manifest and what concerns all. */
  readonly file: string | undefined;
  /** What is wrong, for people, without the name of the snapshot. */
  readonly message: string;
  /** What was thrown, for its class and code. */
  readonly error: unknown;
  /** The new name of a corrupt chunk. */
  readonly renamedTo?: string | undefined;
}

/** What became of a snapshot. */
export interface VerifiedSnapshot {
  /** Group and time. */
  readonly snapshot: SnapshotId;
  /** `skipped`: has a result that counts, is unfinished, or is being written or removed. */
  readonly result: "ok" | "failed" | "skipped";
  /** The first {@link FAULTS_MAX} faults. */
  readonly faults: readonly VerifyFault[];
  /** All faults, also those that are not kept. */
  readonly faultCount: number;
  /** Why it was skipped. */
  readonly reason?: "verified" | "locked" | "unfinished" | "vanished";
}

/** What a verification found. */
export interface VerifyReport {
  /** In the order of verification. */
  readonly snapshots: readonly VerifiedSnapshot[];
  /** Chunks read. */
  readonly chunkCount: number;
  /** Bytes of these chunks as they are stored. */
  readonly storedBytes: number;
  /** Bytes of these chunks decoded. */
  readonly plainBytes: number;
  /** Chunks that are corrupt or missing. */
  readonly badChunkCount: number;
  /** Whether no snapshot failed. */
  readonly isClean: boolean;
}
