/**
 * What is asked of a mount. All paths are absolute.
 *
 * @module
 */

import type { LogRequest } from "./mount_log.ts";

/** Numeric owner of files. */
export interface Owner {
  readonly uid: number;
  readonly gid: number;
}

/** A setting of the server. */
export interface Setting {
  readonly key: string;
  readonly value: string;
}

/** A writable mount of a backup, as asked for. */
export interface BackupMountRequest {
  /** Undefined: as the diff directory remembers. */
  readonly storePath: string | undefined;
  readonly mountPath: string;
  readonly diffPath: string;
  readonly instance: string | undefined;
  readonly backupId: string | undefined;
  readonly force: boolean;
  readonly skipFsync: boolean;
  readonly noWal: boolean;
  /** Hold pg_probackup's read lock on the chain. */
  readonly lockCatalog: boolean;
  readonly materializeOnRead: boolean;
  /** Total of the files that may be copied whole when they are opened for writing. */
  readonly wholeCopyBytesMax: number;
  /** Undefined: as many as the host is good for. */
  readonly workerCount: number | undefined;
  /** How long a request may wait for the backup. Undefined: for ever. */
  readonly ioTimeoutMs: number | undefined;
  /** Undefined: for root only. */
  readonly allowOther: boolean | undefined;
  /**
   * Who is to own the files; undefined: who owned them before. Only root can give files to others.
   */
  readonly owner: Owner | undefined;
  readonly settings: readonly Setting[];
  /** Links to tablespaces do not name the mount point. */
  readonly relativeTablespaces: boolean;
  /** Files of the mount have extended attributes. */
  readonly extendedAttributes: boolean;
  /** Without a path to a file: that in the diff directory. */
  readonly log: LogRequest;
}

/** Name of the log file where none was asked for, in the worker's directory. */
export const LOG_FILE_NAME = "pbkfs.log";

/** Host path of the log file where none was asked for. */
export function defaultLogPath(diffPath: string): string {
  return `${diffPath}/data/.pbkfs/${LOG_FILE_NAME}`;
}
