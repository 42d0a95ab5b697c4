/**
 * Ends workers, waits for their end, and says how it was. Nothing here waits without a bound.
 *
 * @module
 */

import { pause } from "#src/io/pause.ts";
import { OsError, ProtocolError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import type { Worker } from "./find_worker.ts";
import { formatUnmountCall } from "./unmount_call.ts";

const SIGKILL = 9;
const POLL_MS = 10;
/** A worker that has not mounted yet has nothing to lose: it need not be waited for longer. */
const START_END_TIMEOUT_MS = 2000;
const KILL_TIMEOUT_MS = 10_000;
const GONE_TIMEOUT_MS = 200;

/**
 * Signals a worker, and nobody else, even if its number has gone to another process. @throws
 * {OsError}
 */
export function signalWorker({ process }: Worker, signal: number): void {
  const result = process.signal(signal);
  if (result === 0 || result === -host.Errno.ESRCH) return;
  const hint = result === -host.Errno.EPERM
    ? "It belongs to another user: do it as that user"
    : "It may be in a PID namespace that is not below this one: do it there";
  throw new OsError(-result, "signal", `worker ${process.pid}`, { hint });
}

/**
 * Refuses to wait for a worker that somebody has stopped.
 *
 * @param endCall what ends it all the same
 * @throws {StateError} `stopped`
 */
export function requireRunning(
  { pid, process }: Worker,
  mountPath: string,
  endCall = formatUnmountCall({ mountPath, force: true }),
): void {
  if (process.state !== "stopped") return;
  throw new StateError("stopped", `worker ${pid} of ${mountPath} is stopped`, {
    hint: `Let it go on with kill -CONT ${pid}, or end it with ${endCall}`,
  });
}

/** Waits until a worker has ended. @returns false when it has not in that time */
export async function hasEndedWithin({ process }: Worker, timeoutMs: number): Promise<boolean> {
  const deadline = performance.now() + timeoutMs;
  while (process.state !== "ended") {
    if (performance.now() > deadline) return false;
    await pause(POLL_MS);
  }
  await waitUntilGone({ process });
  return true;
}

/**
 * Waits a moment for the parent of a worker that has ended to take note of it. Nothing depends on
 * it, but scripts look whether there is still a process of that number.
 */
export async function waitUntilGone({ process }: Pick<Worker, "process">): Promise<void> {
  const deadline = performance.now() + GONE_TIMEOUT_MS;
  while (!process.isGone && performance.now() < deadline) await pause(POLL_MS);
}

/**
 * Ends a worker that has not mounted yet. @throws {StateError} `timeout` when it has mounted
 * meanwhile or cannot end
 */
export async function endStarting(worker: Worker): Promise<void> {
  signalWorker(worker, host.SIGTERM);
  if (await hasEndedWithin(worker, START_END_TIMEOUT_MS)) return;
  if (worker.card.read().state === "starting") signalWorker(worker, SIGKILL);
  if (await hasEndedWithin(worker, KILL_TIMEOUT_MS)) return;
  throw notEnding(worker);
}

/**
 * Kills a worker and waits for its end. @returns false when it waits in the kernel and cannot end
 * @throws {OsError}
 */
export async function killWorker(worker: Worker): Promise<boolean> {
  signalWorker(worker, SIGKILL);
  return await hasEndedWithin(worker, KILL_TIMEOUT_MS);
}

/** The error for a worker that even SIGKILL does not end. */
export function notEnding({ pid, process }: Worker): StateError {
  const hint = process.state === "blocked"
    ? "It waits in the kernel, for a disk or a network that does not answer, and ends when that does"
    : "See its log";
  return new StateError("timeout", `worker ${pid} does not end`, { hint });
}

/** Says what a worker that has ended left undone. @throws {ProtocolError} when that was anything */
export function checkOutcome({ pid, card }: Worker): void {
  const { state, failure } = card.read();
  if (state === "ended") return;
  if (state === "failed" && failure !== undefined) {
    const { code, hint } = failure;
    throw new ProtocolError(`unmounted, but ${withinSentence(failure.message)}`, {
      code,
      hint,
    });
  }
  throw new ProtocolError(`unmounted, but worker ${pid} ended before all changes were durable`, {
    code: "worker-ended",
    hint: "What programs had synced is safe, later changes are if the system does not go down: " +
      "mount the diff directory again and unmount it",
  });
}

/**
 * A message as part of a longer one. Only a word can begin it in lower case, not an abbreviation.
 */
function withinSentence(message: string): string {
  return message.replace(/^\p{Lu}(?=\p{Ll}|\s)/u, (letter) => letter.toLowerCase());
}
