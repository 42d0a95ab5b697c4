/**
 * The entry point.
 *
 * @module
 */

import process from "node:process";
import { runProgram } from "#src/cli/run.ts";

/** Runs the program with its arguments. @returns the exit code */
export function main(args: readonly string[]): Promise<number> {
  // The path of the executable is without links, so only this tells what the user typed.
  return runProgram(args, process.argv0.slice(process.argv0.lastIndexOf("/") + 1));
}

if (import.meta.main) Deno.exit(await main(Deno.args));
