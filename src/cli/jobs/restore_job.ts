/**
 * A file of a snapshot, restored with progress.
 *
 * @module
 */

import type { SnapshotReader } from "#src/pbs/ports.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import { restoreAsFile, type StreamRestore } from "#src/usecases/datastore/file_restore.ts";
import type { Output } from "../output/output.ts";
import { ProgressLine } from "../output/progress_line.ts";
import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { Terminal } from "../terminal/terminal.ts";

/** Restores a file and prints progress and summary. @throws what {@link restoreAsFile} throws */
export function runFileRestore(
  snapshot: SnapshotReader,
  request: StreamRestore,
  terminal: Terminal,
  output: Output,
): void {
  const start = performance.now();
  using line = new ProgressLine(terminal, output);
  const { name, target } = request;
  const bytes = restoreAsFile(snapshot, request, (bytes, size) =>
    line.show(() => ({
      text: `${name}: ${formatHumanBytes(bytes)} of ${formatHumanBytes(size)}`,
      fields: { archive: name, bytes, bytes_total: size },
    })));
  line.clear();
  const duration = Math.round(performance.now() - start) / 1000;
  const summary = { type: "summary", archive: name, bytes, duration_s: duration };
  // Standard output may be what was restored.
  if (target !== STANDARD_STREAM) output.value(summary, () => "");
  else if (output.isJson) terminal.err(JSON.stringify(summary) + "\n");
}
