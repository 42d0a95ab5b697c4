/**
 * `cp`: entries of a tree into the file system, as cp(1) copies files.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addTargetOptions,
  type ExtractOptions,
  extractRequest,
} from "../../options/extract_options.ts";
import { reportTo } from "./extract.ts";
import type { EntryOptions, TreeOperands } from "./operands.ts";

/** The verb for a group. */
export function copyOutCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options & ExtractOptions> {
  return {
    uses: [...operands.uses, "write"],

    describe() {
      const command = new Command("cp")
        .description(`Copy files and directories out of ${operands.noun}, with all metadata`)
        .usage(`[options] ${operands.placeholder} <path...> <target>`);
      operands.addArguments(command)
        .argument("<path>", "what to copy; directories with all that is in them")
        .argument("<path or target...>", "last: a directory to copy into, or the new name of one");
      return addHelpNotes(operands.addOptions(addTargetOptions(command)), {
        examples: [
          { text: "One file into a directory", line: operands.line("cp", "/etc/fstab /tmp") },
          {
            text: "One directory under another name",
            line: operands.line("cp", "/etc ./etc-of-yesterday"),
          },
          {
            text: "Several, in place of what is there",
            line: operands.line("cp", "/etc/hosts /etc/fstab /etc --overwrite"),
          },
        ],
        environment: operands.environment,
        exitStatus: { 1: "Failure, or not everything could be copied completely; the rest is." },
      });
    },

    async run(options, context) {
      const paths = options.args.slice(operands.count);
      const target = paths.pop()!;
      const { copyOut } = await import("#src/usecases/archive/extraction.ts");
      await operands.use(options, context, (input) => {
        const request = extractRequest(input, options);
        return reportTo(operands, options, context, (to) => copyOut(request, paths, target, to));
      });
      return 0;
    },
  };
}
