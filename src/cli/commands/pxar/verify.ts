/**
 * `pbkfs pxar verify`: looks for damage everywhere in an archive.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addPayloadOption, payloadOf, type PayloadOptions } from "../../options/archive_options.ts";

/** A badly damaged archive has no end of faults. */
const FINDINGS_MAX = 1000;

interface VerifyOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
}

/** The command. */
export const verifyCommand: CommandModule<VerifyOptions> = {
  uses: ["read", "ffi"],

  describe() {
    const command = new Command("verify")
      .description("Check every entry, table, offset and content of an archive")
      .argument("<archive>", "archive");
    addPayloadOption(command).addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Check an archive", line: "pbkfs pxar verify home.pxar" },
        {
          text: "Check a split archive whose parts lie apart",
          line: "pbkfs pxar verify home.mpxar --payload /other/home.ppxar",
        },
      ],
      exitStatus: { 0: "Nothing is wrong.", 1: "Something is wrong; what, is on standard output." },
    });
  },

  async run(options, { terminal }) {
    const { verifyFiles } = await import("#src/usecases/archive/verification.ts");
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    const archive = await archiveInput(options.args[0]!, payloadOf(options));
    const { findings, isComplete } = verifyFiles(archive, FINDINGS_MAX);
    if (options.format === "json") {
      const report = { archive: options.args[0], ok: findings.length === 0, findings };
      terminal.out(JSON.stringify(report, null, 2) + "\n");
    } else {
      const { formatFinding } = await import("../../output/finding_text.ts");
      terminal.out(findings.map(formatFinding).join(""));
      if (!isComplete) terminal.err(`Stopped after ${FINDINGS_MAX} faults\n`);
    }
    return findings.length === 0 ? 0 : 1;
  },
};
