/**
 * Copies by names, for programs that use the library.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { PlannedArchive } from "#src/backup/backup_options.ts";
import { nameOfDiff, parseSourceName } from "#src/sources/name.ts";
import { openSource } from "#src/sources/registry.ts";
import type { Credentials } from "#src/sources/source.ts";
import type { BackupCallbacks, BackupCrypt, FinishedBackup } from "../datastore/backup.ts";
import { spawnThread } from "../threads.ts";
import {
  type ArchiveCopyReport,
  copyIntoArchive,
  copyIntoStore,
  type SnapshotCopy,
} from "./copy.ts";
import { parseCopyTarget } from "./copy_target.ts";
import { openTarget } from "./open_target.ts";

/** How a source is copied. What is said of snapshots counts only where one is made. */
export interface SourceCopying extends Partial<Omit<SnapshotCopy, "target">> {
  /** Secrets for source and target. Default: there are none. */
  readonly credentials?: Credentials | undefined;
  /** Replaces an archive that is there already. Default: false. */
  readonly isReplacing?: boolean | undefined;
  /** Time of a snapshot in Unix seconds. Default: that of the source, if it has one, else now. */
  readonly time?: number | undefined;
  /** What a snapshot is encrypted or signed with. Default: it is neither. */
  readonly keys?: BackupCrypt | undefined;
  /** Name under which a server on this machine serves the datastore, to take its locks too. */
  readonly serverStore?: string | undefined;
  /** Called for each entry, by its path. */
  readonly onEntry?: ((path: string) => void) | undefined;
  /** Called with entries and bytes of contents so far. */
  readonly onProgress?: ((entryCount: number, bytes: number) => void) | undefined;
  /** Called for what is not copied as it is. */
  readonly onProblem?: BackupCallbacks["onProblem"] | undefined;
  /** Called when a snapshot takes more than it should. */
  readonly onWarning?: BackupCallbacks["onWarning"] | undefined;
  /** Called for the archive of a snapshot before it is made. */
  readonly onArchive?: ((archive: PlannedArchive) => void) | undefined;
}

/** What a copy has made. */
export type CopiedSource =
  | ({ readonly kind: "archive"; readonly path: string } & ArchiveCopyReport)
  | ({ readonly kind: "snapshot" } & FinishedBackup);

const NO_KEYS: BackupCrypt = { mode: "none", crypt: undefined, encryptedKey: undefined };

/**
 * Copies a source into an archive or a datastore, in one pass, without a restore on the way. What
 * lies in the target's datastore already is referred to. Blocks this thread; SIGINT, SIGTERM and
 * SIGHUP give it up meanwhile. Needs FFI.
 *
 * @example
 * ```ts
 * import { copySource } from "@pbkfs/pbkfs/copying";
 *
 * export async function toDatastore(catalog: string, store: string): Promise<number> {
 *   const made = await copySource(`${catalog}#main/latest`, `${store}#host/db1/pgdata.pxar`);
 *   return made.kind === "snapshot" ? made.report.snapshot!.newChunkCount : 0;
 * }
 * ```
 *
 * @param source such as `/backups#main/latest`, `a.pxar` or `pbs:/store#host/elsa/latest/root.pxar`
 * @param target `NAME.pxar`, `NAME.mpxar`, or a snapshot:
 *   `STORE#[NAMESPACE/]TYPE/ID[/TIME][/ARCHIVE.pxar]`
 * @throws what `openSource()` and opening the target throw
 * @throws {UsageError} when the target is no such name
 * @throws {OsError} EEXIST when there is such an archive that may not be replaced
 * @throws {StateError} `interrupted`: there is neither archive nor snapshot
 * @throws what reading the source throws: then there is neither
 */
export async function copySource(
  source: string,
  target: string,
  options: SourceCopying = {},
): Promise<CopiedSource> {
  const { credentials, isReplacing, exclude = [], onEntry, onProgress = () => {} } = options;
  const place = parseCopyTarget(target);
  using opened = await openSource(source, { credentials, countsLinks: false, spawn: spawnThread });
  if (place.kind === "archive") {
    const { path } = place;
    const request = { path, isReplacing, exclude, onEntry, onProgress };
    return { kind: "archive", path, ...copyIntoArchive(opened, request) };
  }
  const { keys = NO_KEYS, time, serverStore } = options;
  using stack = new DisposableStack();
  const store = await openTarget(place.repository, keys, stack, { credentials, serverStore });
  const finished = copyIntoStore(opened, store, {
    target: { ...place, time: time ?? place.time },
    exclude,
    mode: options.mode,
    chunkSize: options.chunkSize,
    workers: options.workers ?? navigator.hardwareConcurrency - 1,
    owner: options.owner,
  }, {
    onArchive: (archive) => options.onArchive?.(archive),
    onEntry: (path) => onEntry?.(path),
    onProgress: ({ entryCount, bytes }) => onProgress(entryCount, bytes),
    onProblem: (problem) => options.onProblem?.(problem),
    onWarning: (kind, message) => options.onWarning?.(kind, message),
  });
  return { kind: "snapshot", ...finished };
}

/**
 * {@link copySource} of a diff directory that is not mounted: what a mount of it shows becomes a
 * snapshot or an archive, with the time of now. The diff stays as it is.
 *
 * @example
 * ```ts
 * import { commit } from "@pbkfs/pbkfs/copying";
 *
 * export async function keepChanges(diff: string, store: string): Promise<void> {
 *   await commit(diff, `${store}#host/db1`);
 * }
 * ```
 *
 * @throws what {@link copySource} throws; {@link UsageError} for what is no diff directory
 */
export function commit(
  diffPath: string,
  target: string,
  options: SourceCopying = {},
): Promise<CopiedSource> {
  return Promise.try(() => copySource(requireDiffName(diffPath), target, options));
}

/**
 * The name of a diff directory as a source.
 *
 * @param text its path, or that name
 * @throws {UsageError} when it names something else
 */
export function requireDiffName(text: string): string {
  const name = nameOfDiff(text);
  if (parseSourceName(name).kind === "diff") return name;
  throw new UsageError(`Cannot commit "${text}": it is not a diff directory`, {
    hint: "A copy can be made of any source",
  });
}
