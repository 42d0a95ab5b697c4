/**
 * `ls` and `list`: what is in an archive.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandContext, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import type { EntryForm } from "../../output/entry_output.ts";
import { entryFormat, type EntryOptions, type TreeOperands } from "./operands.ts";

interface ListOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

/** `ls` for a group: the names in the root directory or in the directories asked for. */
export function lsCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & ListOptions> {
  return {
    uses: operands.uses,

    describe() {
      const command = describeListing(operands, "ls", `List names in ${operands.noun}`)
        .option("-R, --recursive", "everything below, as paths");
      return addHelpNotes(operands.addOptions(command), {
        examples: [
          { text: "The root directory", line: operands.line("ls") },
          { text: "One directory in the long form", line: operands.line("ls -l", "/etc") },
          ...operands.examples?.["ls"] ?? [],
        ],
        environment: operands.environment,
        exitStatus: { 1: "Failure: no such path, or something is damaged." },
      });
    },

    run(options, context) {
      return list(operands, options, context, options.long === true ? "long" : "names");
    },
  };
}

/** `list` for a group: every path in quotation marks. */
export function listCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & ListOptions> {
  return {
    uses: [...operands.uses, "env"],

    describe() {
      const command = describeListing(
        operands,
        "list",
        `List all paths of ${operands.noun}, quoted`,
      );
      return addHelpNotes(operands.addOptions(command), {
        examples: [
          { text: "Every path", line: operands.line("list") },
          { text: "Every entry in the long form", line: operands.line("list -l") },
        ],
        environment: { ...operands.environment, PXAR_LOG: "debug: the long form, as with -l" },
        exitStatus: { 1: "Failure: no such path, or something is damaged." },
      });
    },

    run(options, context) {
      const isLong = options.long === true || context.environment("PXAR_LOG") === "debug";
      const form = isLong ? "long" : "quoted";
      return list(operands, { ...options, recursive: true }, context, form);
    },
  };
}

function describeListing<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
  name: string,
  description: string,
): Command {
  return operands.addArguments(new Command(name).description(description), true)
    .argument("[path...]", "what to list; default is the root directory")
    .option("-l, --long", "mode, owner, time and size too");
}

async function list<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
  options: Options & ListOptions,
  context: CommandContext,
  textForm: EntryForm,
): Promise<number> {
  const format = entryFormat(operands.output(options, context));
  const paths = options.args.slice(operands.count);
  const isRecursive = options.recursive === true;
  const isRootOnly = paths.length === 0 && !isRecursive && !operands.isReadInOrder;
  const { listEntries } = await import("#src/usecases/archive/listing.ts");
  const { EntryOutput } = await import("../../output/entry_output.ts");
  await operands.use(options, context, (input) => {
    using output = new EntryOutput(context.terminal, format === "text" ? textForm : format);
    listEntries({ input, paths: isRootOnly ? ["/"] : paths, isRecursive }, output);
  });
  return 0;
}
