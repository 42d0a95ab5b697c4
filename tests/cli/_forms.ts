/**
 * The forms of all commands: what can be typed.
 *
 * @module
 */

import type { Command } from "commander";
import type { CommandGroup, CommandModule } from "#src/cli/command.ts";
import { cleanupCommand } from "#src/cli/commands/cleanup.ts";
import { completionCommand } from "#src/cli/commands/completion.ts";
import { mountCommand } from "#src/cli/commands/mount.ts";
import { pbsGroup } from "#src/cli/commands/pbs/commands.ts";
import { pxarGroup } from "#src/cli/commands/pxar/commands.ts";
import { showCommand } from "#src/cli/commands/show.ts";
import { statCommand } from "#src/cli/commands/stat.ts";
import { unmountCommand } from "#src/cli/commands/unmount.ts";

/** A command: its arguments as its usage has them, and its flags. */
export interface CommandForm {
  readonly arguments: readonly string[];
  readonly flags: readonly string[];
}

/** All commands by their words. */
export function programForms(): Record<string, CommandForm> {
  const forms: Record<string, CommandForm> = {};
  const modules: readonly CommandModule<never>[] = [
    mountCommand,
    unmountCommand,
    statCommand,
    cleanupCommand,
    showCommand,
    completionCommand,
  ];
  for (const module of modules) addForms(forms, "", module.describe());
  for (const group of [pxarGroup, pbsGroup] as const) addGroup(forms, group);
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
