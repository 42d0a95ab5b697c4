/**
 * What a garbage collection found, for people: in the log of a task, and on a terminal.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import type { GcProgress } from "./garbage_collection.ts";
import type { GcStatus } from "./status.ts";

/** What a garbage collection found, in lines. */
export function formatGcReport(status: GcStatus): string {
  const { diskBytes, diskChunks, indexDataBytes } = status;
  const lines = [
    `Removed garbage: ${formatHumanBytes(status.removedBytes)}`,
    `Removed chunks: ${status.removedChunks}`,
    ...(status.pendingBytes > 0
      ? [
        `Pending removals: ${formatHumanBytes(status.pendingBytes)} ` +
        `(in ${status.pendingChunks} chunks)`,
      ]
      : []),
    ...(status.removedBad > 0 ? [`Removed bad chunks: ${status.removedBad}`] : []),
    ...(status.stillBad > 0 ? [`Leftover bad chunks: ${status.stillBad}`] : []),
    `Original data usage: ${formatHumanBytes(indexDataBytes)}`,
    ...(indexDataBytes > 0
      ? [`On-Disk usage: ${formatHumanBytes(diskBytes)} (${percent(diskBytes, indexDataBytes)}%)`]
      : []),
    `On-Disk chunks: ${diskChunks}`,
    `Deduplication factor: ${diskBytes > 0 ? (indexDataBytes / diskBytes).toFixed(2) : "1.00"}`,
    ...(diskChunks > 0
      ? [`Average chunk size: ${formatHumanBytes(Math.floor(diskBytes / diskChunks))}`]
      : []),
  ];
  return lines.join("\n") + "\n";
}

function percent(part: number, whole: number): string {
  return (100 * part / whole).toFixed(2);
}

/** How far a garbage collection is, in a line. */
export function formatGcProgress(progress: GcProgress): string {
  const { phase, done, total } = progress;
  const share = total === 0 ? 100 : Math.floor(100 * done / total);
  return phase === "mark"
    ? `marked ${share}% (${done} of ${total} index files)`
    : `processed ${share}% (${progress.chunkCount} chunks)`;
}
