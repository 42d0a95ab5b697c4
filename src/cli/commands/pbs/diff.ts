/**
 * `pbkfs pbs diff`: what differs between an archive in two snapshots, or in a snapshot and a
 * directory.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
  entryFormat,
} from "../../datastore/archive_command.ts";
import { openFoundSnapshot } from "../../datastore/snapshot_access.ts";
import { withStore } from "../../datastore/store.ts";
import { addDiffOptions, type ComparisonOptions } from "../../options/diff_options.ts";

interface SnapshotDiffOptions extends ArchiveOptions, ComparisonOptions {}

/** How paths are told from snapshots. */
const PATH = /^(?:\/|\.\.?(?:\/|$))/u;

/** The command. */
export const snapshotDiffCommand: CommandModule<SnapshotDiffOptions> = {
  describe() {
    const command = new Command("diff")
      .description("Show what differs between an archive in two snapshots, or one and a directory")
      .argument("<a>", "snapshot; of a group the last one")
      .argument("<b>", "snapshot, or a directory: a path that begins with / or ./")
      .argument("<archive-name>", "archive: root.pxar");
    return addHelpNotes(addArchiveOptions(addDiffOptions(command)), {
      examples: [
        {
          text: "What changed between two snapshots",
          line: "pbkfs pbs diff host/db1/2024-01-10T10:00:00Z host/db1 root.pxar",
        },
        { text: "Whether a directory is as it was", line: "pbkfs pbs diff host/db1 / root.pxar" },
      ],
      environment: ARCHIVE_ENVIRONMENT,
      exitStatus: {
        0: "Nothing differs.",
        1: "Something differs, and is on standard output; or failure, on standard error.",
        2: "Something could not be compared, and is on standard error; or wrong usage.",
      },
    });
  },

  async run(options, context) {
    const format = entryFormat(options, context);
    const [left, right, archive] = options.args;
    const { printDifferences } = await import("../../jobs/diff_job.ts");
    const { openArchiveAsTree, openAsTree } = await import("#src/usecases/archive/trees.ts");
    const { snapshotInput } = await import("#src/usecases/datastore/snapshot_input.ts");
    const { archiveInput } = await import("#src/usecases/archive/named_archive.ts");
    return await withStore(options, context, "read", async (store) => {
      const open = (text: string) => openFoundSnapshot(store, text, options, context);
      const a = await open(left!);
      const b = PATH.test(right!) ? undefined : await open(right!);
      try {
        const other = b === undefined
          ? await archiveInput(right!, undefined)
          : snapshotInput(b, archive!);
        return printDifferences(
          () => openArchiveAsTree(snapshotInput(a, archive!)),
          () => b === undefined ? openAsTree(other) : openArchiveAsTree(other),
          { ...options, format },
          context.terminal,
        );
      } finally {
        b?.close();
        a.close();
      }
    });
  },
};
