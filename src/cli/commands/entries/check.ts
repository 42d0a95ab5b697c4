/**
 * `check`: whether all of a tree can be read, and is as its checksums say.
 *
 * @module
 */

import { Command } from "commander";
import { ContentError } from "#src/errors.ts";
import type { TreeInput } from "#src/usecases/archive/trees.ts";
import type { VerificationResult } from "#src/usecases/archive/verification.ts";
import type { CommandModule } from "../../command.ts";
import { ExitCode } from "../../exit_code.ts";
import { addHelpNotes } from "../../help.ts";
import type { EntryOptions, TreeOperands } from "./operands.ts";

/** A badly damaged source has no end of faults. */
const FINDINGS_MAX = 1000;

/** The verb for a group. */
export function checkCommand<Options extends EntryOptions>(
  operands: TreeOperands<Options>,
): CommandModule<Options> {
  return {
    uses: operands.uses,

    describe() {
      const command = operands.addArguments(
        new Command("check").description(
          `Read all of ${operands.noun}, and compare it with the checksums that it has: ` +
            "of pages, lists, chunks; of an archive every entry and table",
        ),
      );
      return addHelpNotes(operands.addOptions(command), {
        examples: [
          { text: "Whether a backup is sound", line: operands.line("check") },
          ...operands.examples?.["check"] ?? [],
        ],
        environment: operands.environment,
        exitStatus: {
          0: "Nothing is wrong.",
          1: "Something is wrong, and is on standard output; or failure, on standard error.",
        },
      });
    },

    async run(options, context) {
      const output = operands.output(options, context);
      const { checkTree, unreadable } = await import("#src/usecases/archive/checking.ts");
      const { ProgressLine } = await import("../../output/progress_line.ts");
      const { formatHumanBytes } = await import("#src/bytes/byte_sizes.ts");
      using line = new ProgressLine(context.terminal, output);
      const check = (input: TreeInput) =>
        checkTree(input, {
          findingsMax: FINDINGS_MAX,
          onProgress: (bytes) =>
            line.show(() => ({ text: `Checked ${formatHumanBytes(bytes)}`, fields: { bytes } })),
        });
      let result: VerificationResult;
      try {
        result = await operands.use(options, context, check);
      } catch (error) {
        if (!(error instanceof ContentError)) throw error;
        result = unreadable(error);
      }
      line.clear();
      const { findings, isComplete } = result;
      const isGood = findings.length === 0;
      const [source] = options.args;
      const record = { source, ok: isGood, complete: isComplete, findings };
      const { formatFinding } = await import("../../output/finding_text.ts");
      output.value(
        output.form === "jsonl" ? { type: "summary", ...record } : record,
        () => findings.map(formatFinding).join(""),
      );
      if (findings.length >= FINDINGS_MAX && !output.isJson) {
        context.terminal.err(`Stopped after ${FINDINGS_MAX} faults\n`);
      }
      return isGood ? ExitCode.SUCCESS : ExitCode.FAILURE;
    },
  };
}
