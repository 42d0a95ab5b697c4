/**
 * `pbkfs pbs key show`: what a key file says of its key.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import {
  defaultKeyPath,
  KEY_PLACE_ENVIRONMENT,
  knownPlace,
} from "#src/usecases/keys/key_places.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../../output/output.ts";

interface ShowOptions extends FormatChoice {
  readonly args: readonly string[];
}

/** The command. */
export const showKeyCommand: CommandModule<ShowOptions> = {
  uses: ["read", "ffi", "env"],

  describe() {
    const command = new Command("show")
      .alias("info")
      .description("Print what a key file says of its key; needs no password")
      .argument("[path]", "key file; default is the default place");
    return addHelpNotes(addFormatOptions(command), {
      examples: [
        { text: "The key at the default place", line: "pbkfs pbs key show" },
        {
          text: "Fingerprint of a key",
          line: "pbkfs pbs key show backup.key --format json | jq -r .fingerprint",
        },
      ],
      environment: { ...KEY_PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readKeyFile } = await import("#src/usecases/keys/key_file_reading.ts");
    const { keyInfo } = await import("#src/usecases/keys/key_records.ts");
    const { formatKeyInfo } = await import("../../../output/key_info.ts");
    const path = options.args[0] ?? knownPlace(defaultKeyPath(context));
    const info = keyInfo(path, readKeyFile(path));
    output.value(info, () => formatKeyInfo(info, output));
    return 0;
  },
};
