/**
 * The thread that backs up a client: it walks, cuts and stores, and waits for the client where it
 * must.
 *
 * @module
 */

import type { ArchiveReport, PlannedArchive } from "#src/backup/backup_options.ts";
import type { BackupSpec } from "#src/backup/backup_spec.ts";
import type { ClientCall } from "#src/backup/client/client_calls.ts";
import { clientSource } from "#src/backup/client/client_source.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { openSnapshotStore } from "#src/pbs/store_address.ts";
import { formatFailure } from "#src/threads/failure_text.ts";
import { borrowThreads } from "#src/threads/lent_thread.ts";
import { Mailbox } from "#src/threads/mailbox/mailbox.ts";
import {
  type BackupCallbacks,
  type FinishedBackup,
  interrupted,
  makeBackup,
  runBackupPlan,
} from "../datastore/backup.ts";
import type { FromPullThread, PullThreadStart } from "./messages.ts";

/** Progress is told no more often than somebody can see it. */
const PROGRESS_MS = 100;

/** Backs up, and says how that went. Never throws. */
export function runPullThread(start: PullThreadStart): void {
  const { port } = start;
  let last: FromPullThread;
  try {
    last = { type: "finished", finished: plainResult(backUp(start)) };
  } catch (error) {
    last = { type: "failed", error: formatFailure(error) };
  }
  port.postMessage(last);
  port.close();
}

function backUp(start: PullThreadStart): FinishedBackup {
  const { request, walk, keys, stop, timeoutMs, isDryRun } = start;
  const interruption = {
    get isRaised() {
      return Atomics.load(stop, 0) !== 0;
    },
  };
  const throwIfStopped = () => {
    if (interruption.isRaised) throw interrupted();
  };
  const link = { mailbox: new Mailbox(start.mailbox), timeoutMs, throwIfStopped };
  const makeSource = clientSource(link, walk);
  const specs = request.specs.map((spec) => ({ ...spec, makeSource }));
  const pulled = { ...request, specs };
  const callbacks = callbacksOf(start);
  const store = openSnapshotStore(start.store, isDryRun ? "read" : "write");
  try {
    // A client that cannot be reached leaves no trace in the datastore.
    // How long that may take is the connection's own to say.
    const connect: ClientCall = { call: "connect" };
    link.mailbox.call(connect, { timeoutMs: Infinity, throwIfStopped });
    for (const message of store.warnings) callbacks.onWarning("locks", message);
    if (isDryRun) return runBackupPlan(store, pulled, keys.mode, callbacks, interruption);
    const { mode, key, encryptedKey } = keys;
    const crypt = key === undefined ? undefined : new CryptConfig(key);
    const spawn = borrowThreads((message) => start.port.postMessage(message));
    return makeBackup(store, pulled, { mode, crypt, encryptedKey }, interruption, callbacks, spawn);
  } finally {
    store.close();
  }
}

function callbacksOf({ port, tellsPaths }: PullThreadStart): BackupCallbacks {
  const send = (message: FromPullThread) => port.postMessage(message);
  let toldAt = -Infinity;
  return {
    onArchive: (archive) => send({ type: "archive", archive: plainArchive(archive) }),
    onEntry: (path) => {
      if (tellsPaths) send({ type: "entry", path });
    },
    onProgress: (progress) => {
      const now = performance.now();
      if (now - toldAt < PROGRESS_MS) return;
      toldAt = now;
      send({ type: "progress", progress });
    },
    onProblem: (problem) => send({ type: "problem", problem }),
    onWarning: (kind, message) => send({ type: "warning", kind, message }),
  };
}

/** What goes through a port: no functions, and getters as values. */
function plainResult({ report, ...rest }: FinishedBackup): FinishedBackup {
  return { ...rest, report: { ...report, archives: report.archives.map(plainReport) } };
}

function plainReport(archive: ArchiveReport): ArchiveReport {
  const { build, reuse } = archive;
  return {
    ...archive,
    spec: plainSpec(archive.spec),
    build: build && {
      counts: build.counts,
      entryCount: build.entryCount,
      excludedCount: build.excludedCount,
      contentBytes: build.contentBytes,
      errorCount: build.errorCount,
      warningCount: build.warningCount,
      problems: build.problems,
      sizes: build.sizes,
      isPartial: build.isPartial,
    },
    reuse: reuse && {
      fileCount: reuse.fileCount,
      hardlinkCount: reuse.hardlinkCount,
      reusedFileCount: reuse.reusedFileCount,
      reusedBytes: reuse.reusedBytes,
      readFileCount: reuse.readFileCount,
      readBytes: reuse.readBytes,
      paddingBytes: reuse.paddingBytes,
      injectedChunkCount: reuse.injectedChunkCount,
    },
  };
}

function plainArchive({ spec, files }: PlannedArchive): PlannedArchive {
  return { spec: plainSpec(spec), files };
}

function plainSpec({ kind, name, path }: BackupSpec): BackupSpec {
  return { kind, name, path };
}
