/**
 * A garbage collection, and what it tells.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import type { RemoteStore } from "#src/pbs/client/remote_store.ts";
import type { Datastore } from "#src/pbs/datastore.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { gcStatusFields } from "#src/pbs/gc/status.ts";
import { formatGcProgress, formatGcReport } from "#src/pbs/gc/report_text.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { interruptible } from "#src/usecases/datastore/interruption.ts";
import type { Output } from "../output/output.ts";
import { runServerTask } from "./server_task.ts";
import { ProgressLine } from "../output/progress_line.ts";

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
        onProgress: (progress) =>
          line.show(() => ({ text: formatGcProgress(progress), fields: { ...progress } })),
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
