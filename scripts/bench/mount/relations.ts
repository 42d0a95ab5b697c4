/**
 * The files of a data directory that are measured.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";

const LIST_TIMEOUT_MS = 60_000;

/** The largest file below `base/`, relative to the data directory. */
export async function largestRelation(dataDirectory: string): Promise<string> {
  const { stdout } = await runCommand(
    ["sh", "-c", 'cd "$1" && find base -type f -printf "%s %p\\n" | sort -n | tail -n 1', "sh"]
      .concat(dataDirectory),
    { timeoutMs: LIST_TIMEOUT_MS },
  );
  return stdout.trim().split(" ")[1] ?? "";
}

/** Number of files in a directory and below. */
export async function countFiles(directory: string): Promise<number> {
  const command = ["sh", "-c", 'find "$1" -type f | wc -l', "sh", directory];
  return Number((await runCommand(command, { timeoutMs: LIST_TIMEOUT_MS })).stdout);
}
