/**
 * What the parts of an open datastore share.
 *
 * @module
 */

import { type Codecs, hostCodecs } from "#src/codecs/codecs.ts";
import { UsageError } from "#src/errors.ts";
import { BlobCodec } from "../crypt/blob_codec.ts";
import type { StorageLocks, WriterLock } from "../storage/locks.ts";
import type { FileStorage, Storage } from "../storage/storage.ts";

/** An open datastore. */
export interface OpenStore {
  readonly storage: Storage;
  readonly codecs: Codecs;
  /** For files other than chunks. */
  readonly codec: BlobCodec;
  readonly isWritable: boolean;
}

/** The datastore in a storage. */
export function openStore(storage: Storage, isWritable: boolean): OpenStore {
  const codecs = hostCodecs();
  return { storage, codecs, codec: new BlobCodec(codecs), isWritable };
}

/** What is needed for writing. */
interface WritableParts {
  readonly files: FileStorage;
  readonly locks: StorageLocks;
  readonly writerLock: WriterLock;
}

/**
 * What is needed for writing. @throws {UsageError} when the datastore is open for reading only, or
 * cannot be locked
 */
export function writableParts({ storage, isWritable }: OpenStore): WritableParts {
  const { files, locks, writerLock } = storage;
  const place = files.pathOf("");
  if (!isWritable) {
    throw new UsageError(`Cannot change datastore "${place}": it is open for reading only`);
  }
  if (locks !== undefined && writerLock !== undefined) return { files, locks, writerLock };
  throw new UsageError(`Cannot change datastore "${place}": it cannot be locked`);
}
