/**
 * Copies of sources: as an archive, or as a snapshot of a datastore, without a restore on the way.
 *
 * @module
 */

import type { ChangeDetectionMode } from "#src/backup/backup_options.ts";
import type { BuildReport } from "#src/pxar/builder/report.ts";
import { isDiff } from "#src/sources/diff/diff_source.ts";
import type { Source } from "#src/sources/source.ts";
import { archiveTree } from "#src/transfer/tree_archive.ts";
import { writeArchive } from "../archive/creation.ts";
import type { OutputRequest } from "../archive/output_files.ts";
import { type BackupCallbacks, type FinishedBackup, runBackup } from "../datastore/backup.ts";
import { interruptible } from "../datastore/interruption.ts";
import type { SnapshotTarget } from "./copy_target.ts";
import { type OpenTarget, originalOf, storedOrigins } from "./stored_origins.ts";

/** Name of the archive of a snapshot where nobody chooses one. */
const ARCHIVE_DEFAULT = "root.pxar";

/** How a snapshot is made of a source. */
export interface SnapshotCopy {
  /** Group, time and archive; its time is that of the source unless given, else the present. */
  readonly target: Pick<SnapshotTarget, "group" | "time" | "archive">;
  /** Patterns of what is left out. */
  readonly exclude: readonly string[];
  /**
   * Default: `metadata` for sources whose times tell contents, such as chains of pg_probackup,
   * else `data`.
   */
  readonly mode: ChangeDetectionMode | undefined;
  /** Undefined: the usual one. */
  readonly chunkSize: number | undefined;
  /** Threads that help. */
  readonly workers: number;
  /** See `NewBackup`. */
  readonly owner: string | undefined;
}

/**
 * Makes a snapshot of a source. Contents that lie in the store already, in a snapshot that the
 * source shows, are referred to and not read. SIGINT, SIGTERM and SIGHUP give it up.
 *
 * @throws {StateError} `interrupted`: there is no snapshot; what starting one throws
 * @throws what reading the source throws: then there is no snapshot
 */
export function copyIntoStore(
  source: Source,
  target: OpenTarget,
  request: SnapshotCopy,
  callbacks: BackupCallbacks,
): FinishedBackup {
  using stack = new DisposableStack();
  const tree = stack.adopt(source.openTree(), (it) => it.close());
  const { group, time, archive } = request.target;
  const original = originalOf(source.description);
  const mode = request.mode ?? (original.kind === "pgpro" ? "metadata" : "data");
  const origins = mode === "legacy" ? [] : storedOrigins(source, tree, target, stack);
  return runBackup(
    target.store,
    {
      specs: [{
        kind: "pxar",
        name: archive ?? ARCHIVE_DEFAULT,
        path: source.summary.name,
        tree: { tree, origins },
      }],
      group,
      time: time ?? timeOf(source),
      owner: request.owner,
      mode,
      chunkSize: request.chunkSize,
      workers: request.workers,
      build: { exclude: request.exclude },
    },
    target.keys,
    callbacks,
  );
}

/** A diff is of the present, whatever it was made over. */
function timeOf({ summary, description }: Source): number | undefined {
  return summary.time === null || isDiff(description)
    ? undefined
    : Math.floor(Date.parse(summary.time) / 1000);
}

/** How an archive is made of a source, and who hears of it. */
export interface ArchiveCopy {
  /** Where it goes; the name's suffix says whether it is split. */
  readonly path: string;
  /** Replaces one that is there already. Default: false. */
  readonly isReplacing?: boolean | undefined;
  /** Patterns of what is left out. */
  readonly exclude: readonly string[];
  /** Called for each entry. */
  readonly onEntry?: ((path: string) => void) | undefined;
  /** Called with entries and bytes of contents so far. */
  readonly onProgress?: (entryCount: number, bytes: number) => void;
}

/** What an archive was made of. */
export interface ArchiveCopyReport {
  /** Entries, sizes, what was left out. */
  readonly build: BuildReport;
  /** Whether a prelude was left out, because version 1 has no place for it. */
  readonly hasLeftOutPrelude: boolean;
}

/**
 * Makes an archive of a source. SIGINT, SIGTERM and SIGHUP give it up.
 *
 * @throws {OsError} EEXIST when there is one already that may not be replaced
 * @throws {StateError} `interrupted`: there is no archive
 * @throws what reading the source throws: then there is no archive
 */
export function copyIntoArchive(source: Source, request: ArchiveCopy): ArchiveCopyReport {
  const { path, isReplacing = false, exclude, onEntry, onProgress } = request;
  using stack = new DisposableStack();
  const tree = stack.adopt(source.openTree(), (it) => it.close());
  return interruptible("there is no archive", (signal) => {
    let build: BuildReport | undefined;
    const { hasLeftOutPrelude } = writeArchive(durable(path, isReplacing), (writer) => {
      build = archiveTree(tree, writer, {
        exclude,
        onEntry,
        onProgress: ({ entryCount, contentBytes }) => {
          signal.throwIfAborted();
          onProgress?.(entryCount, contentBytes);
        },
      });
    });
    return { build: build!, hasLeftOutPrelude };
  });
}

/** Whoever has copied something may remove it. */
function durable(path: string, isReplacing: boolean): OutputRequest {
  const byName = { format: undefined, payloadPath: undefined };
  return { path, ...byName, isReplacing, isDryRun: false, isDurable: true };
}
