/**
 * The forms of all commands: what can be typed.
 *
 * @module
 */

import type { Command } from "commander";
import type { CommandGroup } from "#src/cli/command.ts";
import { COMMANDS, GROUPS } from "#src/cli/commands/all.ts";

/** A command: its arguments as its usage has them, and its flags. */
export interface CommandForm {
  readonly arguments: readonly string[];
  readonly flags: readonly string[];
}

/** All commands by their words. */
export function programForms(): Record<string, CommandForm> {
  const forms: Record<string, CommandForm> = {};
  for (const module of COMMANDS) addForms(forms, "", module.describe());
  for (const group of GROUPS) addGroup(forms, group);
  return forms;
}

function addGroup(forms: Record<string, CommandForm>, group: CommandGroup, parents = ""): void {
  const words = `${parents}${group.name} `;
  for (const module of group.commands) addForms(forms, words, module.describe());
  for (const inner of group.groups ?? []) addGroup(forms, inner, words);
}

function addForms(forms: Record<string, CommandForm>, parents: string, command: Command): void {
  forms[parents + command.name()] = {
    arguments: command.registeredArguments.map((argument) =>
      argument.required ? `<${argument.name()}>` : `[${argument.name()}]`
    ),
    flags: command.options.map(({ flags }) => flags).toSorted(),
  };
}
