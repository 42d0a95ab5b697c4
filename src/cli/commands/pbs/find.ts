/**
 * `pbkfs pbs find`: entries of an archive of a snapshot by name, type, size and time.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveArguments,
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
  entryFormat,
  withArchive,
} from "../../datastore/archive_command.ts";
import { addFindOptions, type FindOptions } from "../../options/find_options.ts";

interface SnapshotFindOptions extends ArchiveOptions, FindOptions {}

/** The command. */
export const snapshotFindCommand: CommandModule<SnapshotFindOptions> = {
  describe() {
    const command = new Command("find")
      .description("Find entries of an archive of a snapshot by name, type, size and time");
    addArchiveArguments(command, "archive: root.pxar")
      .argument("[path]", "where to look; default is the root directory");
    return addHelpNotes(addArchiveOptions(addFindOptions(command)), {
      examples: [
        { text: "Files above 10 MiB", line: "pbkfs pbs find host/db1 root.pxar -t f -s +10M" },
      ],
      environment: ARCHIVE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const format = entryFormat(options, context);
    const [, , path = "/"] = options.args;
    const { printFound } = await import("../../jobs/find_job.ts");
    await withArchive(
      options,
      context,
      (archive) => printFound(archive, path, { ...options, format }, context.terminal),
    );
    return 0;
  },
};
