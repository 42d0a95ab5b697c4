/**
 * The process behind a mount that has no directory for its worker: the mount itself names it.
 *
 * Whoever serves a mount may name any process, so it is never signalled, only waited for.
 *
 * @module
 */

import * as host from "#src/io/host.ts";

/**
 * Attribute of the root directory with the process id as text. It is in no list of attributes, so that copies of the
 * tree do not get it.
 */
export const SERVING_PROCESS_XATTR = "user.pbkfs.worker";

const POLL_MS = 10;

/** The process that a mount names, if it does. The mount must be one that answers. */
export function servingProcess(mountPath: string): number | undefined {
  const value = host.getLinkXattr(mountPath, SERVING_PROCESS_XATTR);
  const text = typeof value === "number" ? "" : new TextDecoder().decode(value);
  return /^[1-9]\d{0,9}$/.test(text) ? Number(text) : undefined;
}

/** Waits until a process has ended, but not longer than `timeoutMs`. */
export async function waitForProcess(pid: number, timeoutMs: number): Promise<void> {
  const deadline = performance.now() + timeoutMs;
  while (host.kill(pid, 0) === 0 && performance.now() < deadline) {
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
}
