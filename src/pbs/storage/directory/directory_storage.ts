/**
 * The storage that is a local directory, as a server has it.
 *
 * @module
 */

import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { FileOwner } from "./directory_options.ts";
import type { Storage, StorageDescription, StorageSpace } from "../storage.ts";
import { type ChunkWriting, DirectoryChunks } from "./directory_chunks.ts";
import { DirectoryFiles } from "./directory_files.ts";
import { DirectoryGarbage } from "./garbage/directory_garbage.ts";
import { ObjectLocks } from "./object_locks.ts";
import { ProcessLock } from "./process_lock.ts";
import { StoreFiles } from "./store_files.ts";

/** A directory with `.chunks` in it. */
export interface DirectoryDescription extends StorageDescription {
  /** Tells this description from those of other storages. */
  readonly kind: "directory";
  /** Absolute. */
  readonly path: string;
  /** How it is written to; undefined for reading only. */
  readonly writing?: ChunkWriting | undefined;
  /** How it is locked; undefined for threads that need no locks of their own. */
  readonly locking?: DirectoryLocking | undefined;
}

/** How objects in a directory are locked. */
export interface DirectoryLocking {
  /** Whose new lock files are. */
  readonly owner: FileOwner;
  /** Folder with a server's lock files of this store; undefined where there is none. */
  readonly serverPath: string | undefined;
  /** How long locks that others hold are waited for. */
  readonly timeoutMs: number;
  /** What threads share that are one holder of the process lock. */
  readonly memory?: SharedArrayBuffer | undefined;
}

/** See {@link Storage}. Without FFI it can be read, but nothing is locked. */
export class DirectoryStorage implements Storage {
  /** Absolute path of the directory. */
  readonly localPath: string;
  /** Indexes, blobs and the small files of groups and snapshots. */
  readonly files: DirectoryFiles;
  readonly locks: ObjectLocks | undefined;
  readonly writerLock: ProcessLock | undefined;
  #chunks: DirectoryChunks | undefined;

  private constructor(readonly description: DirectoryDescription) {
    const { path, writing, locking } = description;
    this.localPath = path;
    const newFiles = writing && new StoreFiles(writing.owner, writing.syncLevel);
    this.files = new DirectoryFiles(path, newFiles);
    if (locking === undefined || !mayUseFfi) return;
    const { owner, serverPath, timeoutMs, memory } = locking;
    const files = newFiles ?? new StoreFiles(owner, "none");
    this.locks = new ObjectLocks({ storePath: path, files, serverPath, timeoutMs });
    this.writerLock = new ProcessLock(path, files, timeoutMs, memory);
  }

  /** Nothing is looked at before it is needed. */
  static open(description: DirectoryDescription): DirectoryStorage {
    return new DirectoryStorage(description);
  }

  /**
   * Opened at the first use: who may not read the chunks of a server can still see what backups
   * there are.
   */
  get chunks(): DirectoryChunks {
    const { path, writing } = this.description;
    return this.#chunks ??= DirectoryChunks.open(path, writing);
  }

  get garbage(): DirectoryGarbage | undefined {
    const { localPath, chunks, locks } = this;
    return chunks.quarantine && new DirectoryGarbage(localPath, chunks, locks);
  }

  space(): StorageSpace {
    return hostFiles.space(this.localPath);
  }

  /** Closes what is open; locks are given back by who holds them. */
  close(): void {
    this.#chunks?.close();
    this.#chunks = undefined;
  }
}
