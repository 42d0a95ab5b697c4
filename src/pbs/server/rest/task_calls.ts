/**
 * What takes minutes, in a thread of the server of its own: it writes its log as it goes, and ends
 * when it is told to by shared memory, since no message reaches it meanwhile.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { qualifiedName } from "../../format/snapshot_path.ts";
import { collectGarbage } from "../../gc/garbage_collection.ts";
import { formatGcProgress, formatGcReport } from "../../gc/report_text.ts";
import type { VerifyOptions, VerifyScope } from "../../verify/report.ts";
import { verifyStore } from "../../verify/verify_store.ts";
import type { StoreInThread } from "../store_in_thread.ts";

/** A task that runs in a thread. */
export interface ThreadTask {
  readonly upid: string;
  /** File that lines are appended to. */
  readonly logPath: string;
  /** One cell: not 0 when it is to end. */
  readonly stop: SharedArrayBuffer;
}

/** Bytes of a log; more would only be repetition. */
export const TASK_LOG_SIZE_MAX = 4 << 20;

/** Writes the log of a task. */
class TaskLog {
  readonly #path: string;
  #size = 0;

  constructor(path: string) {
    this.#path = path;
  }

  line(text: string): void {
    const line = `${text.replaceAll(/[\p{Cc}]+/gu, " ")}\n`;
    this.#size += line.length;
    if (this.#size > TASK_LOG_SIZE_MAX) return;
    try {
      Deno.writeTextFileSync(this.#path, line, { append: true });
    } catch {
      // A full disk is a reason to collect garbage, and none to stop that.
    }
  }
}

function stopSignal({ stop }: ThreadTask): { throwIfAborted(): void } {
  const cells = new Int32Array(stop);
  return {
    throwIfAborted() {
      if (Atomics.load(cells, 0) !== 0) throw new StateError("interrupted", "abort requested");
    },
  };
}

function runGarbageCollection({ datastore, name }: StoreInThread, task: ThreadTask): void {
  const log = new TaskLog(task.logPath);
  log.line(`starting garbage collection on store ${name}`);
  let last = "";
  const status = collectGarbage(datastore, {
    upid: task.upid,
    signal: stopSignal(task),
    onWarning: (message) => log.line(`warning: ${message}`),
    onProgress: (progress) => {
      const step = `${progress.phase} ${Math.floor(100 * progress.done / progress.total)}`;
      if (step === last) return;
      last = step;
      log.line(formatGcProgress(progress));
    },
  });
  for (const line of formatGcReport(status).trimEnd().split("\n")) log.line(line);
}

/** @throws {StateError} `partial` when a snapshot is damaged */
function runVerification(
  { datastore }: StoreInThread,
  scope: VerifyScope,
  options: Pick<VerifyOptions, "ignoreVerified" | "outdatedAfterDays">,
  task: ThreadTask,
): void {
  const log = new TaskLog(task.logPath);
  let last = "";
  const report = verifyStore(datastore, scope, {
    ...options,
    upid: task.upid,
    signal: stopSignal(task),
    onWarning: (message) => log.line(`warning: ${message}`),
    onFault: ({ snapshot, file, message }) => {
      const place = qualifiedName(snapshot) + (file === undefined ? "" : `/${file}`);
      log.line(`${place}: ${message}`);
    },
    onProgress: ({ snapshot, file }) => {
      const text = `verify ${qualifiedName(snapshot)}${file === undefined ? "" : `/${file}`}`;
      if (text !== last) log.line(text);
      last = text;
    },
  });
  log.line(`verified ${report.chunkCount} chunks, ${report.badChunkCount} bad`);
  if (report.isClean) return;
  const failed = report.snapshots.filter(({ result }) => result === "failed");
  log.line("Failed to verify the following snapshots/groups:");
  for (const { snapshot } of failed) log.line(`\t${qualifiedName(snapshot)}`);
  throw new StateError("partial", "verification failed - please check the log for details");
}

/** Part of `STORE_CALLS`; each is to be called alone. */
export const TASK_CALLS = { runGarbageCollection, runVerification } as const;
