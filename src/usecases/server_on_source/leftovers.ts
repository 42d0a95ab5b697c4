/**
 * What a killed process has left of a server that it had started on a source: the server, the
 * mount, the changes, the socket.
 *
 * @module
 */

import { isWithin } from "#src/io/absolute_path.ts";
import { HostProcess, listProcesses } from "#src/io/process.ts";
import { logger } from "#src/log/logger.ts";
import { StateError } from "#src/errors.ts";
import { unmount } from "../mounting/unmount.ts";
import { listRunDirectories, lockRunDirectory, type RunDirectory } from "./run_directory.ts";

const SIGQUIT = 3;
const SIGKILL = 9;
const STOP_TIMEOUT_MS = 10_000;
const POLL_MS = 20;

const log = logger("drill");

/**
 * Removes what is left over in a directory. What is in use stays, and what cannot be removed is
 * logged: it is in nobody's way.
 *
 * @param workPath absolute
 * @returns the paths of what was removed
 */
export async function removeLeftovers(workPath: string): Promise<string[]> {
  const removed: string[] = [];
  for (const path of listRunDirectories(workPath)) {
    const directory = lockRunDirectory(path);
    if (directory === undefined) continue;
    try {
      await removeLeftover(directory);
      removed.push(path);
    } catch (error) {
      directory.release();
      log.warn("leftover not removed", { path, error });
    }
  }
  return removed;
}

async function removeLeftover(directory: RunDirectory): Promise<void> {
  await endServers(directory.mountPath);
  try {
    const { mountPath, diffPath } = directory;
    await unmount({ mountPath, diffPath, force: true });
  } catch (error) {
    if (!(error instanceof StateError) || error.code !== "not-mounted") throw error;
  }
  directory.remove();
}

/** Ends servers whose data directory is in a mount, known by how they were started. */
async function endServers(mountPath: string): Promise<void> {
  for (const pid of listProcesses()) {
    using process = HostProcess.open(pid);
    if (process === undefined || !isServerOn(process.commandLine, mountPath)) continue;
    process.signal(SIGQUIT);
    if (await endsInTime(process)) continue;
    process.signal(SIGKILL);
    await endsInTime(process);
  }
}

function isServerOn(commandLine: readonly string[], mountPath: string): boolean {
  const place = commandLine[commandLine.indexOf("-D") + 1];
  return commandLine.some((word) => word.endsWith("/postgres")) && place !== undefined &&
    isWithin(place, mountPath);
}

async function endsInTime(process: HostProcess): Promise<boolean> {
  const deadline = performance.now() + STOP_TIMEOUT_MS;
  while (process.state !== "ended") {
    if (performance.now() > deadline) return false;
    await new Promise((resolve) => setTimeout(resolve, POLL_MS));
  }
  return true;
}
