/**
 * What is asked of a mount. All paths are absolute.
 *
 * @module
 */

import type { LogRequest } from "./mount_log.ts";
import type { PostgresProfile } from "./postgres_profile.ts";

/** A mount of any source, as asked for. */
export interface MountRequest {
  readonly mountPath: string;
  /** Undefined: for root only. */
  readonly allowOther: boolean | undefined;
  /** Undefined: as many as the host is good for. */
  readonly workerCount: number | undefined;
  /** How long a request may wait for the source. Undefined: for ever. */
  readonly ioTimeoutMs: number | undefined;
  /**
   * Without a path to a file: that in the diff directory, and no log where there is none.
   */
  readonly log: LogRequest;
  /** Where changes go; undefined for a read-only mount. */
  readonly writable: WritableRequest | undefined;
}

/** A diff directory over a source, as asked for. */
export interface WritableRequest {
  readonly diffPath: string;
  /** Mount although writes are lost, or the source has changed. */
  readonly force: boolean;
  readonly skipFsync: boolean;
  /** Nobody will mount it again: nothing is made durable, at the end neither. */
  readonly isThrowaway?: boolean;
  readonly materializeOnRead: boolean;
  /** Total of the files that may be copied whole when they are opened for writing. */
  readonly wholeCopyBytesMax: number;
  /** Files of the mount have extended attributes. */
  readonly extendedAttributes: boolean;
  readonly postgres: PostgresProfile;
  /** Everything comes into the diff, from the start on. Default: it does not. */
  readonly hydration?: HydrationWish | undefined;
}

/** How a mount is to be hydrated. */
export interface HydrationWish {
  /** Bytes a second; undefined: as many as it can. */
  readonly rateLimit: number | undefined;
}

/** Total of whole copies unless told; about a second of copying. */
export const WHOLE_COPY_BYTES_MAX = 1 << 30;

/** Name of the log file where none was asked for, in the worker's directory. */
export const LOG_FILE_NAME = "pbkfs.log";

/** Host path of the log file where none was asked for. */
export function defaultLogPath(diffPath: string): string {
  return `${diffPath}/data/.pbkfs/${LOG_FILE_NAME}`;
}
