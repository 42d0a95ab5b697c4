/**
 * What the parts of an open datastore share.
 *
 * @module
 */

import type { Codecs } from "#src/codecs/mod.ts";
import { UsageError } from "#src/errors.ts";
import type { BlobCodec } from "./blob_codec.ts";
import type { DirectoryStorage } from "./storage/directory/directory_storage.ts";
import type { FileOwner, SyncLevel } from "./datastore_types.ts";
import type { ObjectLocks } from "./storage/directory/object_locks.ts";
import type { ProcessLock } from "./storage/directory/process_lock.ts";
import type { StoreFiles } from "./storage/directory/store_files.ts";

/** An open datastore. */
export interface OpenStore {
  readonly path: string;
  /** Owner of `.chunks`, and so of everything. */
  readonly owner: FileOwner;
  readonly storage: DirectoryStorage;
  readonly codecs: Codecs;
  /** For files other than chunks. */
  readonly codec: BlobCodec;
  readonly syncLevel: SyncLevel;
  /** Undefined where the C library may not be used: then nothing is locked, and nothing can be written. */
  readonly host: HostParts | undefined;
  readonly isWritable: boolean;
}

/** What needs the C library. */
export interface HostParts {
  readonly files: StoreFiles;
  readonly locks: ObjectLocks;
  readonly processLock: ProcessLock;
}

/** What is needed for writing. @throws {UsageError} when the datastore was opened for reading only */
export function writableParts(store: OpenStore): HostParts {
  if (store.isWritable && store.host !== undefined) return store.host;
  throw new UsageError(`Cannot change datastore "${store.path}": it is open for reading only`);
}
