/**
 * A source restored with progress.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import {
  type RestoreProgress,
  restoreSource,
  type RestoreSummary,
} from "#src/usecases/restore/restore.ts";
import { spawnThread } from "#src/usecases/threads.ts";
import type { CommandContext, FormatOptions } from "../command.ts";
import { type RestoreFlags, restoreRequest, threadCountOf } from "../options/restore_options.ts";
import { Output } from "../output/output.ts";
import { ProgressLine } from "../output/progress_line.ts";
import { openCommandSource } from "../sources/open_source.ts";
import type { SourceOptions } from "../sources/source_options.ts";

interface RestoreJobOptions extends SourceOptions, RestoreFlags, FormatOptions {
  readonly args: readonly string[];
}

/** Restores, and prints progress and summary. @throws what `restoreSource()` throws */
export async function runRestore(
  options: RestoreJobOptions,
  context: CommandContext,
): Promise<void> {
  const start = performance.now();
  const output = new Output(options, context);
  const [name, target] = options.args;
  const request = await restoreRequest(target!, options);
  using source = await openCommandSource(name!, options, context, {
    threadCount: threadCountOf(options),
    force: request.force,
    lock: options.lock,
  });
  using line = new ProgressLine(context.terminal, output);
  const summary = await restoreSource(source, request, spawnThread, (progress) =>
    line.show(() => ({
      text: progressText(progress),
      fields: {
        files: progress.files,
        bytes: progress.bytes,
        bytes_total: progress.totalBytes,
      },
    })));
  line.clear();
  const seconds = Math.round(performance.now() - start) / 1000;
  const record = {
    type: "summary",
    source: source.description.name,
    target: request.targetPath,
    resumed: summary.isResumed,
    incremental: summary.isIncremental,
    files: summary.files,
    directories: summary.directories,
    links: summary.links,
    files_kept: summary.keptFiles,
    bytes_written: summary.writtenBytes,
    bytes_unchanged: summary.unchangedBytes,
    removed: summary.removed,
    warnings: summary.warnings,
    duration_s: seconds,
  };
  output.value(record, () => summaryText(request.targetPath, summary, seconds));
  if (summary.warnings > 0) {
    output.warning(`${summary.warnings} attributes could not be kept in "${request.targetPath}"`);
  }
}

function progressText({ files, bytes, totalBytes }: RestoreProgress): string {
  const total = totalBytes === undefined ? "" : ` of ${formatHumanBytes(totalBytes)}`;
  return `Restored ${files} files, ${formatHumanBytes(bytes)}${total}`;
}

function summaryText(target: string, summary: RestoreSummary, seconds: number): string {
  const { files, writtenBytes, unchangedBytes, removed, isResumed, isIncremental } = summary;
  const details = [
    ...isIncremental ? [`${formatHumanBytes(unchangedBytes)} unchanged`, `${removed} removed`] : [],
    ...isResumed ? [`gone on after ${summary.keptFiles} files`] : [],
  ];
  const more = details.length === 0 ? "" : `; ${details.join(", ")}`;
  const what = `${files} files, ${formatHumanBytes(writtenBytes)} written in ${seconds} s`;
  return `Restored to ${JSON.stringify(target)}: ${what}${more}\n`;
}
