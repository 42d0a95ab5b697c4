/**
 * New snapshots of parts of old ones, whose chunks are used again.
 *
 * @module
 */

import { assembleSnapshot, type AssemblyReport, type SnapshotPart } from "#src/backup/assemble.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import type { GroupId, SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader, SnapshotStore } from "#src/pbs/ports.ts";

/** A part, by the name of its snapshot. */
export interface NamedPart extends Omit<SnapshotPart, "snapshot"> {
  readonly snapshot: SnapshotId;
}

/** A snapshot that was made. */
export interface FinishedAssembly {
  readonly id: SnapshotId;
  readonly report: AssemblyReport;
}

/**
 * Makes a snapshot of the group out of parts of others of the same store.
 *
 * @param crypt the key of all of them; undefined where they have none
 * @throws what opening and starting a snapshot throw, and {@link assembleSnapshot}
 */
export function assembleParts(
  store: SnapshotStore,
  group: GroupId,
  parts: readonly NamedPart[],
  crypt: CryptConfig | undefined,
): FinishedAssembly {
  using opened = new DisposableStack();
  const open = (id: SnapshotId): SnapshotReader =>
    opened.adopt(store.openSnapshot(id, { crypt }), (reader) => reader.close());
  const sources = parts.map((part) => ({ ...part, snapshot: open(part.snapshot) }));
  const isEncrypted = parts.some(({ snapshot }) =>
    store.snapshotInfo(snapshot).files.some(({ cryptMode }) => cryptMode === "encrypt")
  );
  const keyed = isEncrypted ? "encrypt" : "sign-only";
  const cryptMode = crypt === undefined ? "none" : keyed;
  const writer = store.startSnapshot({ group, crypt, cryptMode });
  return { id: writer.id, report: assembleSnapshot(writer, sources) };
}
