/**
 * Random access to the archives of a snapshot.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SnapshotReader } from "#src/pbs/ports.ts";
import type { PxarAccessor } from "#src/pxar/mod.ts";

/** An open archive of a directory. */
export interface OpenArchive extends Disposable {
  readonly accessor: PxarAccessor;
  /** The archive, or its metadata stream. */
  readonly source: ByteSource;
  readonly payload: ByteSource | undefined;
}

/**
 * Opens the archive `name` of a directory. Nothing but what is asked for is loaded.
 *
 * @throws {StateError} `not-found`
 */
export function openArchive(snapshot: SnapshotReader, name: string): OpenArchive {
  throw new StateError("not-found", `${snapshot} ${name}`);
}

/** Opens the image `name`. @throws {StateError} `not-found` */
export function openImage(snapshot: SnapshotReader, name: string): ByteSource {
  throw new StateError("not-found", `${snapshot} ${name}`);
}
