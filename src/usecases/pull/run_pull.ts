/**
 * Backups of another host: this one walks, decides and stores, and the client only answers. So
 * whoever has broken into the client reaches no backup.
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import type { ClientProvider } from "#src/backup/client/provider.ts";
import { RemoteReader } from "#src/backup/client/remote_reader.ts";
import { Failure } from "#src/errors.ts";
import type { StoreAddress } from "#src/pbs/store_address.ts";
import { ENTRIES_MAX_DEFAULT } from "#src/pxar/builder/options.ts";
import { parseFailure } from "#src/threads/failure_text.ts";
import { type BorrowMessage, ThreadLender } from "#src/threads/lent_thread.ts";
import { Mailbox } from "#src/threads/mailbox/mailbox.ts";
import { startThread, threadName } from "#src/threads/thread.ts";
import { spawnThread } from "../threads.ts";
import {
  type BackupCallbacks,
  type BackupCrypt,
  type FinishedBackup,
  interrupted,
  type NewBackup,
} from "../datastore/backup.ts";
import { type FromPullThread, PULL_ROLE, type PullThreadStart } from "./messages.ts";

/** How long a client may be silent unless told. */
export const SILENCE_MAX_MS = 300_000;
/** Before another attempt; each further one waits twice as long, up to the maximum. */
const RETRY_DELAY_MS = 1000;
const RETRY_DELAY_MAX_MS = 60_000;

/** What is pulled, and how. */
export interface PullRequest {
  /** Directories of the client as archives `NAME.pxar`; without sources. */
  readonly backup: NewBackup;
  readonly store: StoreAddress;
  readonly keys: BackupCrypt;
  /** Does everything but read contents and write. Default: false. */
  readonly isDryRun?: boolean;
  /** Further attempts after the connection was lost. Default: 0. */
  readonly retries?: number;
  /** After so long without an answer the connection is lost. Default: {@link SILENCE_MAX_MS}. */
  readonly silenceMaxMs?: number | undefined;
  /** Whether `onEntry` is called. Default: false. */
  readonly tellsPaths?: boolean;
  /** Gives the backup up. */
  readonly signal?: AbortSignal | undefined;
}

/** Called while a client is backed up. */
export interface PullCallbacks extends BackupCallbacks {
  /** The connection was lost, and there will be another attempt. */
  onRetry(error: Error, delayMs: number): void;
}

/**
 * Makes a snapshot of directories of a client.
 *
 * @param connect connects to the client, once for each attempt
 * @throws {StateError} `interrupted` after the signal: there is no snapshot
 * @throws what a backup throws, and `connect`
 */
export async function runPull(
  connect: () => ClientProvider | Promise<ClientProvider>,
  request: PullRequest,
  callbacks: PullCallbacks,
): Promise<FinishedBackup> {
  const { retries = 0, signal } = request;
  for (let attempt = 0;; attempt++) {
    try {
      return await pullOnce(connect, request, callbacks);
    } catch (error) {
      const isOver = attempt === retries || signal?.aborted === true;
      if (isOver || !(error instanceof Failure) || !error.isTemporary) throw error;
      const delayMs = Math.min(RETRY_DELAY_MS * 2 ** attempt, RETRY_DELAY_MAX_MS);
      callbacks.onRetry(error, delayMs);
      if (!await pause(delayMs, signal)) throw interrupted();
    }
  }
}

/** One attempt. */
async function pullOnce(
  connect: () => ClientProvider | Promise<ClientProvider>,
  request: PullRequest,
  callbacks: PullCallbacks,
): Promise<FinishedBackup> {
  const { backup, keys, signal, silenceMaxMs = SILENCE_MAX_MS } = request;
  const { build } = backup;
  const entriesMax = build.entriesMax ?? ENTRIES_MAX_DEFAULT;
  // It loads its code, and opens the datastore, while the client is connected to.
  const thread = spawnThread(threadName(PULL_ROLE, 0));
  const reader = new RemoteReader(Promise.try(connect), {
    entriesMax,
    silenceMaxMs,
    walkCount: backup.specs.length,
  });
  const lender = new ThreadLender(spawnThread);
  const { port1, port2 } = new MessageChannel();
  const stop = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const onAbort = () => void Atomics.store(stop, 0, 1);
  if (signal?.aborted === true) onAbort();
  signal?.addEventListener("abort", onAbort);
  const start: PullThreadStart = {
    store: request.store,
    request: backup,
    walk: {
      exclude: build.exclude ?? [],
      skipsLostAndFound: build.skipLostAndFound === true,
      allFileSystems: build.allFileSystems === true,
    },
    keys: { mode: keys.mode, key: keys.crypt?.key, encryptedKey: keys.encryptedKey },
    isDryRun: request.isDryRun === true,
    mailbox: reader.shared,
    // The reader says sooner, and better, what is wrong.
    timeoutMs: 2 * silenceMaxMs,
    stop,
    tellsPaths: request.tellsPaths === true,
    port: port2,
  };
  try {
    return await new Promise<FinishedBackup>((resolve, reject) => {
      thread.onerror = (event) => {
        event.preventDefault();
        reject(new Error(`The thread that backs up has failed: ${event.message}`));
      };
      port1.onmessage = ({ data }) => {
        const message = data as FromPullThread;
        if (message.type === "finished") resolve(message.finished);
        else if (message.type === "failed") reject(parseFailure(message.error));
        else if ("id" in message) lender.take(message);
        else tell(message, callbacks);
      };
      startThread(thread, start, [port2]);
    });
  } finally {
    signal?.removeEventListener("abort", onAbort);
    port1.close();
    new Mailbox(reader.shared).stop();
    await reader.close();
    thread.terminate();
    lender.end();
  }
}

function tell(
  message: Exclude<FromPullThread, BorrowMessage | { readonly type: "finished" | "failed" }>,
  callbacks: PullCallbacks,
): void {
  switch (message.type) {
    case "archive":
      return callbacks.onArchive(message.archive);
    case "entry":
      return callbacks.onEntry(message.path);
    case "progress":
      return callbacks.onProgress(message.progress);
    case "problem":
      return callbacks.onProblem(message.problem);
    case "warning":
      return callbacks.onWarning(message.kind, message.message);
  }
}
