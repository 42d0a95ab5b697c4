/**
 * Runs commands where the files are, such as one that stops a service before a backup.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { StateError } from "#src/errors.ts";
import { type CommandOutcome, OUTPUT_SIZE_MAX } from "./serve_connection.ts";

/** What shells say of a program that a signal has ended. */
const SIGNAL_EXIT_CODE = 128;

/**
 * Runs a command line by the shell. Of its output, standard error included, the end is kept.
 *
 * @param signal ends the command
 * @throws {StateError} `not-found` when there is no shell
 */
export async function runShellCommand(
  command: string,
  signal: AbortSignal,
): Promise<CommandOutcome> {
  let child: Deno.ChildProcess;
  try {
    child = new Deno.Command("sh", {
      args: ["-c", command],
      stdin: "null",
      stdout: "piped",
      stderr: "piped",
      signal,
    }).spawn();
  } catch (cause) {
    if (!(cause instanceof Deno.errors.NotFound)) throw cause;
    throw new StateError("not-found", "There is no shell", { cause });
  }
  let output = new Uint8Array();
  const keep = async (stream: ReadableStream<Uint8Array>) => {
    for await (const bytes of stream) {
      output = concatenate([output, bytes]).slice(-OUTPUT_SIZE_MAX);
    }
  };
  const [status] = await Promise.all([child.status, keep(child.stdout), keep(child.stderr)]);
  const exitCode = status.signal === null
    ? status.code
    : SIGNAL_EXIT_CODE + status.code % SIGNAL_EXIT_CODE;
  return { exitCode, output };
}
