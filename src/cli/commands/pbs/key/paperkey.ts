/**
 * `pbkfs pbs key paperkey`: a key to be printed and put into a safe.
 *
 * @module
 */

import { Command, Option } from "commander";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import {
  defaultKeyPath,
  KEY_PLACE_ENVIRONMENT,
  knownPlace,
} from "#src/usecases/keys/key_places.ts";

interface PaperkeyOptions {
  readonly args: readonly string[];
  readonly subject?: string;
  readonly outputFormat: "text" | "html";
}

/** The command. */
export const paperkeyCommand: CommandModule<PaperkeyOptions> = {
  uses: ["read", "ffi", "run", "env"],

  describe() {
    const command = new Command("paperkey")
      .description(
        "Print a key as it is in its file, with a code to scan; needs the program qrencode",
      )
      .argument("[path]", "key file; default is the default place")
      .option("--subject <text>", "what the key is for, printed above it")
      .addOption(
        new Option("--output-format <format>", "a page for a browser, or plain text")
          .choices(["text", "html"]).default("html"),
      );
    return addHelpNotes(command, {
      examples: [
        {
          text: "A page to be printed",
          line: 'pbkfs pbs key paperkey --subject "backups of db1" > key.html',
        },
        {
          text: "The same as text",
          line: "pbkfs pbs key paperkey backup.key --output-format text",
        },
      ],
      environment: KEY_PLACE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const { readKeyFile } = await import("#src/usecases/keys/key_file_reading.ts");
    const { formatPaperPage, formatPaperText } = await import("#src/usecases/keys/paper_key.ts");
    const path = options.args[0] ?? knownPlace(defaultKeyPath(context));
    const file = readKeyFile(path);
    const format = options.outputFormat === "text" ? formatPaperText : formatPaperPage;
    context.terminal.out(await format(file, options.subject));
    return 0;
  },
};
