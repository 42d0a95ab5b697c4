/**
 * How a datastore in a local directory is opened and made.
 *
 * @module
 */

/**
 * When written files are made durable: never, each by itself, or all at once before a snapshot
 * becomes visible.
 */
export type SyncLevel = "none" | "file" | "filesystem";

/** Owner of files. */
export interface FileOwner {
  /** Who owns what is made, as a number. */
  readonly uid: number;
  /** Group of what is made, as a number. */
  readonly gid: number;
}

/** How a datastore is opened. */
export interface DatastoreOptions {
  /** `write` needs FFI. Default: `read`. */
  readonly access?: "read" | "write";
  /**
   * Name of the store in a running server's configuration; its lock files are then taken too.
   * Default: the name that the server's configuration has for the directory, where it can be read.
   */
  readonly serverStore?: string | undefined;
  /** How long locks that others hold are waited for. Default: 10,000. */
  readonly lockTimeoutMs?: number;
  /**
   * Makes threads of this process one holder of the store's process lock: the same memory for all
   * of them, made with `createLockMemory()`. Default: each thread is on its own.
   */
  readonly lockMemory?: SharedArrayBuffer | undefined;
  /** Default: `filesystem`. */
  readonly syncLevel?: SyncLevel;
  /** Where a server keeps its lock files. Default: `/run/proxmox-backup/locks`. */
  readonly serverLocksPath?: string;
  /** Where a server has its list of datastores. Default: `/etc/proxmox-backup/datastore.cfg`. */
  readonly serverConfigPath?: string;
}

/** How a datastore is made. */
export interface CreateOptions {
  /**
   * For root: whose files they shall be. Default: the owner of the directory that the datastore is
   * made in.
   */
  readonly owner?: FileOwner | undefined;
}
