/**
 * How a backup is made, and what it says of itself.
 *
 * @module
 */

import type { SnapshotSummary } from "#src/pbs/ports.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import type { BackupSpec } from "./backup_spec.ts";
import type { ReuseStatistics } from "./reuse/reuse_statistics.ts";

/** How archives of directories are made. */
export type ChangeDetectionMode = "legacy" | "data" | "metadata";

/** Chunk size of archives and images unless another one is given. */
export const CHUNK_SIZE_DEFAULT: number = 4 << 20;

/** How a backup is made. */
export interface BackupOptions {
  /** Default: `legacy`. */
  readonly mode?: ChangeDetectionMode;
  /**
   * Average chunk size of archives and chunk size of images, in bytes: a power of two. Default:
   * {@link CHUNK_SIZE_DEFAULT}.
   */
  readonly chunkSize?: number | undefined;
  /** What goes into the archives of directories, and who hears of it. */
  readonly build?: BuildOptions;
  /** Content of `rsa-encrypted.key.blob`: the key, encrypted with a master key. */
  readonly encryptedKey?: Uint8Array<ArrayBuffer> | undefined;
  /** Gives the client's log, when everything else is stored. */
  readonly log?: () => Uint8Array<ArrayBuffer>;
  /**
   * Entries that wait for the decision whether files are read; metadata mode only. Default: 32,768.
   */
  readonly waitingCountMax?: number;
  /** Called before every archive. */
  readonly onArchive?: (archive: PlannedArchive) => void;
  /**
   * Called with how far an image is; of one that comes through a pipe nobody knows how many bytes
   * there are.
   */
  readonly onImage?: (doneBytes: number, allBytes: number | undefined) => void;
  /**
   * Called with each part of an image or blob that cannot be read: a range of an image is zeros
   * then, a blob is left out.
   */
  readonly onUnreadable?: (archive: BackupSpec, message: string) => void;
  /**
   * Called when the previous snapshot cannot be used to find what has changed: all files are read
   * then.
   */
  readonly onPreviousUnusable?: (archive: BackupSpec, error: Error) => void;
}

/** An archive that is about to be made. */
export interface PlannedArchive {
  /** What was asked for: name, kind and source. */
  readonly spec: BackupSpec;
  /** Files of the snapshot that it gives, in the order of the manifest. */
  readonly files: readonly string[];
}

/** What became of an archive. */
export interface ArchiveReport extends PlannedArchive {
  /**
   * Bytes of its streams, or of the plain content of a blob; for a plan those of the files, 0 for
   * what comes through a pipe.
   */
  readonly size: number;
  /** Bytes of the chunks that the store did not have, and what they take there. */
  readonly newBytes: number;
  /** Bytes that these chunks take in the store, compressed and encrypted. */
  readonly newStoredBytes: number;
  /** What a directory's archive was made of. */
  readonly build: BuildReport | undefined;
  /** Parts of an image or blob that could not be read. */
  readonly unreadableCount?: number;
  /** What was reused, in metadata mode with a usable previous snapshot. */
  readonly reuse: ReuseStatistics | undefined;
}

/** What a backup did. */
export interface BackupReport {
  /** In the order of the specifications. */
  readonly archives: readonly ArchiveReport[];
  /** Undefined for a plan. */
  readonly snapshot: SnapshotSummary | undefined;
  /** Whether entries are missing. */
  readonly isPartial: boolean;
}
