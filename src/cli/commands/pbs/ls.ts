/**
 * `pbkfs pbs ls`: what is in an archive of a snapshot.
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

interface ListOptions extends ArchiveOptions {
  readonly long?: boolean;
  readonly recursive?: boolean;
}

/** The command. */
export const snapshotLsCommand: CommandModule<ListOptions> = {
  describe() {
    const command = new Command("ls").description("List names in an archive of a snapshot");
    addArchiveArguments(command, "archive: root.pxar")
      .argument("[path...]", "what to list; default is the root directory")
      .option("-l, --long", "mode, owner, time and size too")
      .option("-R, --recursive", "everything below, as paths");
    return addHelpNotes(addArchiveOptions(command), {
      examples: [
        { text: "The root directory", line: "pbkfs pbs ls host/db1 root.pxar" },
        {
          text: "One directory in the long form",
          line: "pbkfs pbs ls -l host/db1/2024-01-10T10:00:00Z root.pxar /etc",
        },
      ],
      environment: ARCHIVE_ENVIRONMENT,
      exitStatus: { 1: "Failure: no such snapshot, archive or path, or something is damaged." },
    });
  },

  async run(options, context) {
    const format = entryFormat(options, context);
    const [, , ...paths] = options.args;
    const isRecursive = options.recursive === true;
    const { listArchive } = await import("#src/usecases/archive/listing.ts");
    const { EntryOutput } = await import("../../output/entry_output.ts");
    await withArchive(options, context, (archive) => {
      const textForm = options.long === true ? "long" : "names";
      const form = format === "text" ? textForm : format;
      using output = new EntryOutput(context.terminal, form);
      listArchive({
        archive,
        // One directory is better looked up than read in order: that would load chunks from one end
        // to the other.
        paths: paths.length === 0 && !isRecursive ? ["/"] : paths,
        isRecursive,
      }, output);
    });
    return 0;
  },
};
