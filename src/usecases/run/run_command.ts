/**
 * A command beside a server on a source.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { findClient } from "#src/postgres/binaries.ts";
import { type ClusterRequest, MountedCluster } from "../server_on_source/mounted_cluster.ts";
import { startServer } from "./source_server.ts";

/** A command, as asked for. */
export interface RunRequest extends ClusterRequest {
  /** Program and arguments; empty: psql. */
  readonly command: readonly string[];
  /** Is given a function that passes a signal on to the command, while that runs. */
  readonly onStarted?: (signal: (name: Deno.Signal) => void) => void;
}

/** What shells say of a program that a signal has ended. */
const SIGNAL_EXIT_CODE = 128;

/**
 * Runs a command with the terminal, standard input and output of this process, and with `PGHOST`,
 * `PGPORT`, `PGUSER` and `PGDATABASE` for the server. Everything is removed afterwards.
 *
 * @example
 * ```ts
 * import { runOnSource } from "@pbkfs/pbkfs/run";
 *
 * export function dumpTable(backup: string, table: string): Promise<number> {
 *   return runOnSource({ source: backup, command: ["pg_dump", "-t", table], readOnly: true });
 * }
 * ```
 *
 * @returns the command's exit code; 128 and the number of the signal that has ended it
 * @throws {StateError} `not-found` when there is no such program
 * @throws what `MountedCluster` throws
 */
export async function runOnSource(request: RunRequest): Promise<number> {
  const workingDirectory = Deno.cwd();
  await using cluster = await MountedCluster.open(request);
  const command = commandOf(request, cluster);
  const environment = await startServer(cluster);
  request.onProgress?.("");
  const child = spawn(command, { cwd: workingDirectory, env: { ...environment } });
  request.onStarted?.((name) => child.kill(name));
  const { code, signal } = await child.status;
  return signal === null ? code : SIGNAL_EXIT_CODE + code % SIGNAL_EXIT_CODE;
}

function commandOf({ command, programPath }: RunRequest, { binaries }: MountedCluster): string[] {
  if (command.length > 0) return [...command];
  const psql = findClient("psql", binaries, { path: programPath });
  if (psql !== undefined) return [psql];
  throw new StateError("not-found", "There is no psql here", {
    hint: "Install a client of PostgreSQL, or name another command",
  });
}

function spawn(
  [program, ...args]: readonly string[],
  options: { cwd: string; env: Record<string, string> },
): Deno.ChildProcess {
  try {
    return new Deno.Command(program!, {
      args,
      ...options,
      stdin: "inherit",
      stdout: "inherit",
      stderr: "inherit",
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new StateError("not-found", `Cannot find the program "${program}"`, { cause });
  }
}
