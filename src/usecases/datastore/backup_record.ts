/**
 * What a backup did, as plain values.
 *
 * @module
 */

import type { ArchiveReport } from "#src/backup/backup_options.ts";
import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import type { FinishedBackup } from "./backup.ts";

/** Sums over all archives. */
export interface BackupTotals {
  readonly files: number;
  readonly bytes: number;
  readonly newBytes: number;
  readonly errors: number;
  readonly warnings: number;
}

/** What a finished backup did. */
export function backupRecord(finished: FinishedBackup): Record<string, unknown> {
  const { report, id, cryptMode, durationMs } = finished;
  const { archives, snapshot } = report;
  const totals = totalsOf(archives);
  return {
    snapshot: qualifiedName(id),
    "backup-type": id.group.type,
    "backup-id": id.group.id,
    "backup-time": id.time,
    "crypt-mode": cryptMode,
    dry_run: snapshot === undefined,
    files: totals.files,
    bytes: totals.bytes,
    // Nobody knows what is new before it is read.
    ...(snapshot && {
      new_bytes: totals.newBytes,
      reused_bytes: totals.bytes - totals.newBytes,
      new_chunks: snapshot.newChunkCount,
      known_chunks: snapshot.knownChunkCount,
      stored_bytes: snapshot.newStoredBytes,
    }),
    incomplete: report.isPartial,
    errors: totals.errors,
    warnings: totals.warnings,
    duration_s: Math.round(durationMs) / 1000,
    archives: archives.map((archive) => archiveFields(archive, snapshot === undefined)),
  };
}

/** What became of an archive, for programs. */
function archiveFields(archive: ArchiveReport, isDryRun: boolean): Record<string, unknown> {
  const { spec, files, size, newBytes, newStoredBytes, build, reuse } = archive;
  return {
    name: spec.name,
    files,
    size,
    new_bytes: isDryRun ? undefined : newBytes,
    stored_bytes: isDryRun ? undefined : newStoredBytes,
    ...(build && {
      entries: build.entryCount,
      counts: build.counts,
      excluded: build.excludedCount,
      content_bytes: build.contentBytes,
      errors: build.errorCount,
      warnings: build.warningCount,
    }),
    reuse: reuse && {
      files: reuse.fileCount,
      reused_files: reuse.reusedFileCount,
      reused_bytes: reuse.reusedBytes,
      read_files: reuse.readFileCount,
      read_bytes: reuse.readBytes,
      padding_bytes: reuse.paddingBytes,
      injected_chunks: reuse.injectedChunkCount,
    },
  };
}

/** What became of all archives together. */
export function totalsOf(archives: readonly ArchiveReport[]): BackupTotals {
  const sum = (value: (archive: ArchiveReport) => number) =>
    archives.reduce((total, archive) => total + value(archive), 0);
  return {
    files: sum(({ build }) => build?.counts.file ?? 1),
    bytes: sum(({ size }) => size),
    newBytes: sum(({ newBytes }) => newBytes),
    errors: sum(({ build, unreadableCount = 0 }) => (build?.errorCount ?? 0) + unreadableCount),
    warnings: sum(({ build }) => build?.warningCount ?? 0),
  };
}

/** Bytes per second. */
export function speedOf(bytes: number, durationMs: number): number {
  return Math.round(bytes / Math.max(durationMs / 1000, 0.001));
}
