/**
 * What a backup did, for people.
 *
 * @module
 */

import type { ArchiveReport } from "#src/backup/backup_options.ts";
import { formatBackupTime } from "#src/pbs/format/snapshot_path.ts";
import type { FinishedBackup } from "#src/usecases/datastore/backup.ts";
import { speedOf, totalsOf } from "#src/usecases/datastore/backup_record.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";

/** The summary for people. */
export function formatBackupReport(finished: FinishedBackup): string {
  const { report, id, durationMs } = finished;
  const { archives, snapshot } = report;
  const totals = totalsOf(archives);
  const speed = formatHumanBytes(speedOf(totals.bytes, durationMs));
  const { ns, type, id: name } = id.group;
  const prefix = ns === "" ? "" : `[${ns}]:`;
  return [
    ...archives.map((archive) => formatArchive(archive, snapshot === undefined)),
    ...(snapshot === undefined ? ["dry-run: nothing was written"] : [
      `Snapshot: ${prefix}${type}/${name}/${formatBackupTime(id.time)}${
        report.isPartial ? " (incomplete)" : ""
      }`,
    ]),
    `Duration: ${(durationMs / 1000).toFixed(2)}s (${speed}/s)`,
  ].map((line) => `${line}\n`).join("");
}

/** What became of an archive, or would, in one line or two. */
function formatArchive(archive: ArchiveReport, isDryRun: boolean): string {
  const { spec, size, newBytes, newStoredBytes, build, reuse } = archive;
  const files = build === undefined ? "" : `${build.counts.file} files, `;
  const share = size === 0 ? 0 : 100 * (size - newBytes) / size;
  if (isDryRun) return `${spec.name}: ${files}${formatHumanBytes(size)}`;
  const line = `${spec.name}: ${files}${formatHumanBytes(size)}, ` +
    `of which ${formatHumanBytes(newBytes)} new (stored in ${formatHumanBytes(newStoredBytes)}), ` +
    `${share.toFixed(1)}% reused`;
  if (reuse === undefined) return line;
  return `${line}\n${spec.name}: unchanged: ${reuse.reusedFileCount} files, ` +
    `${formatHumanBytes(reuse.reusedBytes)}; read: ${reuse.readFileCount} files, ` +
    `${formatHumanBytes(reuse.readBytes)}; padding: ${formatHumanBytes(reuse.paddingBytes)}`;
}
