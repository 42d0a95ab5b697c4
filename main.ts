/**
 * The entry point.
 *
 * @module
 */

import { calledAs } from "#src/cli/called_as.ts";
import { runProgram } from "#src/cli/run.ts";

/** Runs the program with its arguments. @returns the exit code */
export function main(args: readonly string[]): Promise<number> {
  return runProgram(args, calledAs());
}

if (import.meta.main) Deno.exit(await main(Deno.args));
