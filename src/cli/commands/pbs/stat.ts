/**
 * `pbkfs pbs stat`: all that an archive of a snapshot says of an entry.
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
import { Output } from "../../output/output.ts";

/** The command. */
export const snapshotStatCommand: CommandModule<ArchiveOptions> = {
  describe() {
    const command = new Command("stat")
      .description("Show all that an archive of a snapshot says of an entry");
    addArchiveArguments(command, "archive: root.pxar")
      .argument("[path...]", "entries; default is the root directory");
    return addHelpNotes(addArchiveOptions(command), {
      examples: [{ text: "One entry", line: "pbkfs pbs stat host/db1 root.pxar /etc/fstab" }],
      environment: ARCHIVE_ENVIRONMENT,
      exitStatus: { 1: "Failure: no such entry, or something is damaged." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [, , ...paths] = options.args;
    const { describeEntries } = await import("#src/usecases/archive/description.ts");
    const { descriptionToJson } = await import("../../output/entry_json.ts");
    const { formatDescription } = await import("../../output/description_text.ts");
    const entries = await withArchive(
      options,
      context,
      (archive) => describeEntries({ archive, paths: paths.length === 0 ? ["/"] : paths }),
    );
    output.list(
      entries.map(descriptionToJson),
      () => entries.map(formatDescription).join("\n"),
    );
    return 0;
  },
};
