/**
 * The server on a mounted data directory: found by what it has written down, and stopped.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { HostProcess } from "#src/io/process.ts";

const PID_NAME = "postmaster.pid";
const PID_SIZE_MAX = 4096;

/** A server that runs on a data directory. */
export interface RunningServer {
  readonly pid: number;
  readonly uid: number;
  readonly gid: number;
}

/**
 * The server of a data directory, if it runs.
 *
 * @param path of the data directory
 */
export function findRunningServer(path: string): RunningServer | undefined {
  const file = `${path}/${PID_NAME}`;
  const text = host.readSmallFile(file, PID_SIZE_MAX);
  if (typeof text === "number") return undefined;
  const pid = Number.parseInt(new TextDecoder().decode(text));
  if (!(pid > 0)) return undefined;
  using process = HostProcess.open(pid);
  if (process === undefined || process.state === "ended") return undefined;
  const stat = new host.HostStat();
  host.unwrap(host.lstat(file, stat), "stat", file);
  return { pid, uid: stat.uid, gid: stat.gid };
}

/** The error where nobody is to stop it. */
export function serverRuns({ pid }: RunningServer, mountPath: string): StateError {
  return new StateError("busy", `Cannot promote: process ${pid} runs a server on "${mountPath}"`, {
    hint: "Stop it, or have it stopped",
    option: "pgCtlPath",
  });
}

/**
 * Stops a server by pg_ctl(1): `fast`, with a checkpoint.
 *
 * @param mountPath of the data directory, as the server knows it
 * @throws {ProtocolError} `server-failed` when it does not stop
 */
export async function stopServer(
  { uid, gid }: RunningServer,
  mountPath: string,
  pgCtlPath: string,
): Promise<void> {
  const stop = [pgCtlPath, "stop", "-D", mountPath, "-m", "fast", "-w"];
  // It refuses to run as root.
  const identity = [`--reuid=${uid}`, `--regid=${gid}`, "--clear-groups", "--inh-caps=-all", "--"];
  const [program, ...args] = host.getEffectiveUid() === 0 && uid !== 0
    ? ["setpriv", ...identity, ...stop]
    : stop;
  const { success, stdout, stderr } = await new Deno.Command(program!, {
    args,
    cwd: "/",
    stdin: "null",
  }).output();
  if (success) return;
  const words = [stderr, stdout].map((bytes) => new TextDecoder().decode(bytes).trim());
  throw new ProtocolError(`Cannot stop the server on "${mountPath}"`, {
    code: "server-failed",
    hint: words.find((text) => text !== "") ?? `"${pgCtlPath}" said nothing`,
  });
}
