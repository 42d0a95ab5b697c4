/**
 * All commands of the program with their full names.
 *
 * @module
 */

import { COMMANDS, GROUPS } from "#src/cli/commands/all.ts";
import type { CommandGroup, CommandModule } from "#src/cli/command.ts";

/** A command and how it is called. */
export interface NamedCommand {
  /** Behind `pbkfs`: `pbs key create`. */
  readonly name: string;
  readonly module: CommandModule<never>;
}

/** All of them, in the order of the help. */
export function allCommands(): NamedCommand[] {
  return [...named("", COMMANDS), ...GROUPS.flatMap((group) => ofGroup("", group))];
}

function ofGroup(prefix: string, group: CommandGroup): NamedCommand[] {
  const words = `${prefix}${group.name} `;
  return [
    ...named(words, group.commands),
    ...(group.groups ?? []).flatMap((inner) => ofGroup(words, inner)),
  ];
}

function named(prefix: string, modules: readonly CommandModule<never>[]): NamedCommand[] {
  return modules.flatMap((module) => {
    const name = `${prefix}${module.describe().name()}`;
    return [
      { name, module },
      ...(module.groups ?? []).flatMap((group) => ofGroup(`${name} `, group)),
    ];
  });
}
