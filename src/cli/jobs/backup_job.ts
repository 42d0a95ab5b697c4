/**
 * A backup with its progress and what could not be read, on the terminal.
 *
 * @module
 */

import type {
  BackupCallbacks,
  BackupWarning,
  FinishedBackup,
} from "#src/usecases/datastore/backup.ts";
import { backupRecord, speedOf } from "#src/usecases/datastore/backup_record.ts";
import { formatBackupReport } from "../output/backup_report.ts";
import type { Output } from "../output/output.ts";
import { partialError, ProblemOutput } from "../output/problem_output.ts";
import { ProgressLine } from "../output/progress_line.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { Terminal } from "../terminal/terminal.ts";

const ADVICE: Readonly<Record<BackupWarning, string>> = {
  "own-chunks": "; --exclude leaves it out",
  // A chunk is known by its name, whatever is in its file.
  "damaged-base": "; this snapshot may need the same chunk: run pbkfs pbs verify and back up again",
  "unusable-base": "",
  locks: "",
};

/**
 * Runs a backup and prints progress, problems and end.
 *
 * @throws {StateError} `partial` when entries are missing; the snapshot is there
 * @throws what `run` throws
 */
export async function reportBackup(
  isVerbose: boolean,
  terminal: Terminal,
  output: Output,
  run: (callbacks: BackupCallbacks) => FinishedBackup | Promise<FinishedBackup>,
): Promise<void> {
  using line = new ProgressLine(terminal, output);
  const problems = new ProblemOutput(terminal, output.isJson ? "json" : "text", line);
  const startMs = performance.now();
  const finished = await run({
    onArchive: ({ spec: { name, path }, files }) =>
      output.event({ type: "archive", name, source: path, files }),
    onEntry: (path) => {
      if (isVerbose) problems.printPath(path);
    },
    onProgress: ({ archive, entryCount, bytes }) =>
      line.show(() => {
        const speed = speedOf(bytes, performance.now() - startMs);
        const sizes = `${formatHumanBytes(bytes)}, ${formatHumanBytes(speed)}/s`;
        return {
          text: `${archive}: ${entryCount} entries, ${sizes}`,
          fields: { archive, entries: entryCount, bytes, bytes_per_s: speed },
        };
      }),
    onProblem: (problem) => problems.print(problem),
    onWarning: (kind, message) => {
      line.clear();
      output.warning(message + ADVICE[kind]);
    },
  });
  line.clear();
  output.value(
    { type: "summary", ...backupRecord(finished) },
    () => formatBackupReport(finished),
  );
  const { archives, isPartial } = finished.report;
  if (!isPartial) return;
  const count = archives.reduce(
    (sum, { build, unreadableCount = 0 }) => sum + (build?.errorCount ?? 0) + unreadableCount,
    0,
  );
  throw partialError(count, "backed up");
}
