/**
 * New snapshots made of old ones: payload chunks are taken over as they are, not read and not written again.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { SnapshotReader, SnapshotSummary, SnapshotWriter } from "#src/pbs/ports.ts";

/** A part of an old snapshot, and where it goes. */
export interface SnapshotPart {
  readonly snapshot: SnapshotReader;
  /** Name of the archive in the old snapshot. */
  readonly archive: string;
  /** Name in the new one; the same unless given. Parts of the same name are put together to one archive. */
  readonly to?: string;
  /** Path of an entry of the archive, with all that is in it; everything unless given. */
  readonly from?: string;
  /** Path in the new archive: that in the old one unless given; with a slash at the end a directory that gets the entry. */
  readonly place?: string;
}

/** What a new archive is made of. */
export interface AssembledArchive {
  readonly name: string;
  /** Bytes of its streams. */
  readonly size: number;
  /** Bytes in chunks that were taken over without reading them. */
  readonly reusedBytes: number;
  /** Part of {@link AssembledArchive.size} that was taken over, 0…1. */
  readonly reusedShare: number;
}

/** What an assembled snapshot is made of. */
export interface AssemblyReport {
  readonly archives: readonly AssembledArchive[];
  readonly snapshot: SnapshotSummary;
  /** Part of all bytes that was taken over, 0…1. */
  readonly reusedShare: number;
}

/**
 * Makes a snapshot of parts of others in the same store and with the same key, and finishes it; after an exception it is given up.
 *
 * @throws {StateError} `not-found`
 * @throws {UsageError} when a part's chunks cannot be used in the new snapshot, or parts do not fit together
 */
export function assembleSnapshot(
  writer: SnapshotWriter,
  parts: readonly SnapshotPart[],
): AssemblyReport {
  throw new StateError("not-found", `${writer} ${parts}`);
}
