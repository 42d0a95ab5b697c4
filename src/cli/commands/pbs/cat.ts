/**
 * `pbkfs pbs cat`: contents of files in an archive of a snapshot.
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
  withArchive,
} from "../../datastore/archive_command.ts";

/** The command. */
export const snapshotCatCommand: CommandModule<ArchiveOptions> = {
  describe() {
    const command = new Command("cat")
      .description("Write the contents of files in an archive of a snapshot to standard output");
    addArchiveArguments(command, "archive: root.pxar")
      .argument("<path...>", "regular files, or hard links to them");
    return addHelpNotes(addArchiveOptions(command), {
      examples: [{ text: "Read one file", line: "pbkfs pbs cat host/db1 root.pxar /etc/fstab" }],
      environment: ARCHIVE_ENVIRONMENT,
      exitStatus: { 1: "Failure: no such file, or something is damaged." },
    });
  },

  async run(options, context) {
    const [, , ...paths] = options.args;
    const { readFiles } = await import("#src/usecases/archive/contents.ts");
    await withArchive(
      options,
      context,
      (archive) => readFiles({ archive, paths }, (bytes) => context.terminal.outBytes(bytes)),
    );
    return 0;
  },
};
