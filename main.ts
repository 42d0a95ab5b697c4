/**
 * The entry point.
 *
 * @module
 */

import { calledAs } from "#src/cli/called_as.ts";
import { exactArguments } from "#src/cli/exact_arguments.ts";
import { runProgram } from "#src/cli/run.ts";

/** Runs the program with its arguments. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(await exactArguments(args), calledAs());
}

if (import.meta.main) Deno.exit(await main(Deno.args));
