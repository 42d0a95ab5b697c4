/**
 * `pbkfs commit`: what a diff directory has changed, as a snapshot or an archive.
 *
 * @module
 */

import { Command } from "commander";
import { nameOfDiff } from "#src/sources/name.ts";
import type { CommandModule } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import {
  addCopyOptions,
  type SourceCopyOptions,
  TARGET_ARGUMENT,
} from "../options/copy_options.ts";
import { OUTPUT_ENVIRONMENT } from "../output/output.ts";
import { SOURCE_ENVIRONMENT } from "../sources/source_options.ts";
import { usesOfSources } from "../sources/source_uses.ts";
import { runCopy } from "./copy.ts";

/** The command. */
export const commitCommand: CommandModule<SourceCopyOptions> = {
  uses: ["write", ...usesOfSources(([diff]) => diff && nameOfDiff(diff), 1)],

  describe() {
    const command = new Command("commit")
      .description("Write what a mount of a diff directory shows as a new snapshot or archive")
      .argument("<diff>", "diff directory that is not mounted")
      .argument("<target>", TARGET_ARGUMENT);
    return addHelpNotes(addCopyOptions(command, "now"), {
      examples: [
        {
          text: "As the next snapshot of the group that it was made over; only changes are stored",
          line: "pbkfs commit /var/tmp/diff /srv/store#host/db1",
        },
        { text: "As an archive", line: "pbkfs commit /var/tmp/diff db1.mpxar" },
      ],
      environment: { ...SOURCE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
      exitStatus: { 1: "Failure: there is neither archive nor snapshot." },
    });
  },

  async run(options, context) {
    const { requireDiffName } = await import("#src/usecases/copying/named_copy.ts");
    return await runCopy(requireDiffName(options.args[0]!), options, context);
  },
};
