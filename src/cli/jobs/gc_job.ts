/**
 * A garbage collection, and what it tells.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { collectGarbage, type GcProgress } from "#src/pbs/gc/garbage_collection.ts";
import { type GcStatus, gcStatusFields } from "#src/pbs/gc/status.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { formatHumanBytes } from "../terminal/byte_sizes.ts";
import { interruptible } from "#src/usecases/datastore/interruption.ts";
import type { Output } from "../output/output.ts";
import { runServerTask } from "./server_task.ts";
import { ProgressLine, type ProgressReport } from "../output/progress_line.ts";

/** What to collect in, and where to tell of it. */
export interface GcJob {
  readonly store: Datastore;
  /** Chunks used so lately are spared; undefined: as a server does. */
  readonly keepMinutes: number | undefined;
  /** Name of the store at its server; undefined where there is none. */
  readonly storeName: string | undefined;
  readonly terminal: Terminal;
  readonly output: Output;
}

/** Collects garbage and prints what was found. @throws what {@link collectGarbage} throws */
export function runGarbageCollection(job: GcJob): void {
  const { store, keepMinutes, storeName, terminal, output } = job;
  using line = new ProgressLine(terminal, output);
  const status = interruptible(
    "garbage that is left goes the next time",
    (signal) =>
      collectGarbage(store, {
        signal,
        keepMinutes,
        storeName,
        onProgress: (progress) => line.show(() => describeProgress(progress)),
        onWarning: (message) => {
          line.clear();
          output.warning(message);
        },
      }),
  );
  line.clear();
  const fields = gcStatusFields(status);
  const isStream = output.form === "jsonl";
  output.value(isStream ? { type: "summary", ...fields } : fields, () => formatGcReport(status));
}

/**
 * Has a server collect garbage, shows what its task says and what was found.
 *
 * @returns the exit code
 * @throws {UsageError} when it is to spare something else than the server does
 */
export function collectOnServer(
  store: RemoteStore,
  keepMinutes: number | undefined,
  terminal: Terminal,
  output: Output,
): number {
  if (keepMinutes !== undefined) {
    throw new UsageError("Cannot use --keep-minutes: a server spares what it is set to spare", {
      option: "--keep-minutes",
    });
  }
  if (!runServerTask(store, "gc", {}, terminal, output)) return 1;
  const status = store.gcStatus();
  const fields = gcStatusFields(status);
  const isStream = output.form === "jsonl";
  output.value(isStream ? { type: "summary", ...fields } : fields, () => formatGcReport(status));
  return 0;
}

/** What a garbage collection found, as a server's log has it. */
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

function describeProgress(progress: GcProgress): ProgressReport {
  const { phase, done, total } = progress;
  const share = total === 0 ? 100 : Math.floor(100 * done / total);
  const text = phase === "mark"
    ? `marked ${share}% (${done} of ${total} index files)`
    : `processed ${share}% (${progress.chunkCount} chunks)`;
  return { text, fields: { ...progress } };
}
