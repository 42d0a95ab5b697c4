/**
 * Arguments of `pbkfs pbs`, which has groups of commands in it.
 *
 * @module
 */

import type { Command } from "commander";
import { normalizeArguments } from "./archive_arguments.ts";

/** Rewrites the arguments that follow the name of a group, for the command that they name. */
export function normalizeGroupArguments(
  args: readonly string[],
  commands: readonly Command[],
): string[] {
  const group = commands.find((candidate) =>
    candidate.name() === args[0] && candidate.commands.length > 0
  );
  return group === undefined
    ? normalizeArguments(args, commands)
    : [args[0]!, ...normalizeGroupArguments(args.slice(1), group.commands)];
}
