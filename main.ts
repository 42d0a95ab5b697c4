/**
 * The entry point.
 *
 * @module
 */

import { programName } from "#src/cli/program_name.ts";
import { exactArguments } from "#src/cli/exact_arguments.ts";
import { runProgram } from "#src/cli/run.ts";

/** Runs the program with its arguments. @returns the exit code */
export async function main(args: readonly string[]): Promise<number> {
  return await runProgram(await exactArguments(args), programName());
}

if (import.meta.main) Deno.exit(await main(Deno.args));
