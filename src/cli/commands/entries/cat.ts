/**
 * `cat`: contents of files in an archive.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import type { EntryOptions, TreeOperands } from "./operands.ts";

/** The verb for a group. */
export function catCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options> {
  return {
    uses: operands.uses,

    describe() {
      const command = new Command("cat")
        .description(`Write the contents of files in ${operands.noun} to standard output`);
      operands.addArguments(command, true)
        .argument("<path...>", "regular files, or hard links to them");
      return addHelpNotes(operands.addOptions(command), {
        examples: [{ text: "Read one file", line: operands.line("cat", "/etc/fstab") }],
        environment: operands.environment,
        exitStatus: { 1: "Failure: no such file, or something is damaged." },
      });
    },

    async run(options, context) {
      const paths = options.args.slice(operands.count);
      const { readFiles } = await import("#src/usecases/archive/contents.ts");
      const write = (bytes: Uint8Array) => context.terminal.outBytes(bytes);
      await operands.use(options, context, (input) => readFiles(input, paths, write));
      return 0;
    },
  };
}
