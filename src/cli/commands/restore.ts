/**
 * `pbkfs restore`: a source into a directory of its own.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, formatOption, type FormatOptions } from "../command.ts";
import { addHelpNotes } from "../help.ts";
import { addRestoreOptions, type RestoreFlags } from "../options/restore_options.ts";
import type { Use, Uses } from "../permissions.ts";
import {
  addSourceOptions,
  SOURCE_ARGUMENT,
  SOURCE_ENVIRONMENT,
  type SourceOptions,
} from "../sources/source_options.ts";
import { usesOfSources } from "../sources/source_uses.ts";

interface RestoreOptions extends SourceOptions, RestoreFlags, FormatOptions {
  readonly args: readonly string[];
}

/** Accounts are looked up by getent(1). */
const OWNER: Uses = [{
  use: "run" satisfies Use,
  when: "`--owner` is given",
  holds: (options) => options["owner"] !== undefined,
}];

/** The command. */
export const restoreSourceCommand: CommandModule<RestoreOptions> = {
  uses: [...usesOfSources(0), ...OWNER],

  describe() {
    const command = new Command("restore")
      .description("Restore a source into a directory, checked and durable; goes on when repeated")
      .argument("<source>", SOURCE_ARGUMENT)
      .argument("<target>", "directory: empty, missing, or with an unfinished restore of the same");
    return addHelpNotes(addSourceOptions(addRestoreOptions(command)).addOption(formatOption()), {
      examples: [
        {
          text: "The last backup of an instance",
          line: "pbkfs restore /backups#main/latest /var/lib/postgresql/15/main",
        },
        {
          text: "To a point in time, with the WAL archive of the catalog",
          line: "pbkfs restore /backups#main/latest /srv/pg " +
            "--recovery-target-time '2026-11-21 12:00:00+00' --recovery-target-action promote",
        },
        {
          text: "A tablespace elsewhere",
          line: "pbkfs restore /backups#main/TOTXTQ /srv/pg -T /srv/ts1=/mnt/fast/ts1",
        },
        {
          text: "Only what differs, into the directory of the stopped cluster",
          line: "pbkfs restore /backups#main/latest /var/lib/postgresql/15/main --incremental",
        },
        { text: "An archive", line: "pbkfs restore home.pxar /srv/home" },
      ],
      environment: SOURCE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const { runRestore } = await import("../jobs/source_restore_job.ts");
    await runRestore(options, context);
    return 0;
  },
};
