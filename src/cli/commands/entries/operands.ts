/**
 * How commands name what they look into: an archive in a file, one of a snapshot, any source. Each
 * verb has one implementation; a group says what stands in front of the paths.
 *
 * @module
 */

import type { Command } from "commander";
import type { TreeInput } from "#src/usecases/archive/trees.ts";
import type { CommandContext } from "../../command.ts";
import type { EntryFormat } from "../../exit_code.ts";
import type { HelpNotes } from "../../help.ts";
import type { Uses } from "../../permissions.ts";
import type { Output } from "../../output/output.ts";

/** Values that every verb gets: those of a group's own options are the group's business. */
export interface EntryOptions {
  readonly args: readonly string[];
}

/** One example of the help. */
export type Example = HelpNotes["examples"][number];

/** What a group has in common for all verbs. */
interface GroupOperands<Options extends EntryOptions> {
  /** What descriptions call it: "an archive". */
  readonly noun: string;
  readonly uses: Uses;
  /** What else help says of the environment. */
  readonly environment?: HelpNotes["environment"];
  /** Adds the options of the group. */
  addOptions(command: Command): Command;
  /** Where results go. */
  output(options: Options, context: CommandContext): Output;
}

/** How a group names one tree. */
export interface TreeOperands<Options extends EntryOptions> extends GroupOperands<Options> {
  /** How usage calls the arguments in front of the paths: `<archive>`. */
  readonly placeholder: string;
  /** Number of arguments in front of the paths. */
  readonly count: number;
  /** A command line for examples; `rest` stands behind the name. */
  line(verb: string, rest?: string): string;
  /** Examples that only this group has, by verb. */
  readonly examples?: Readonly<Record<string, readonly Example[]>>;
  /** Adds the arguments. @param readsPipes whether the verb can do with a pipe */
  addArguments(command: Command, readsPipes?: boolean): Command;
  /** Whether even one directory is better looked for from the beginning to the end. */
  readonly isReadInOrder: boolean;
  /** Opens what the arguments name, and does something with it. */
  use<Result>(
    options: Options,
    context: CommandContext,
    use: (input: TreeInput) => Result | Promise<Result>,
  ): Promise<Result>;
}

/** How a group names two trees that are compared. */
export interface PairOperands<Options extends EntryOptions> extends GroupOperands<Options> {
  readonly description: string;
  readonly examples: readonly Example[];
  /** Adds the arguments. */
  addArguments(command: Command): Command;
  /** Finds what the arguments name, and does something with it; the trees are opened there. */
  use<Result>(
    options: Options,
    context: CommandContext,
    use: (left: TreeInput, right: TreeInput) => Result,
  ): Promise<Result>;
}

/** The form that entries are printed in. */
export function entryFormat({ form }: Output): EntryFormat {
  return form === "json-pretty" ? "json" : form;
}
