/**
 * `pbkfs pbs catalog`: what is in the archives of a snapshot, as a list or in a shell.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addArchiveArguments,
  addArchiveOptions,
  ARCHIVE_ENVIRONMENT,
  type ArchiveOptions,
} from "../../datastore/archive_command.ts";
import { Output } from "../../output/output.ts";
import { withSnapshot } from "../../datastore/snapshot_access.ts";
import {
  addExtractOptions,
  type ExtractOptions,
  extractRequest,
} from "../../options/extract_options.ts";
import { ENCRYPTED_STORE_USES } from "../../datastore/store_uses.ts";

/** `catalog dump`: every name. */
const dumpCommand: CommandModule<ArchiveOptions> = {
  uses: ENCRYPTED_STORE_USES,

  describe() {
    const command = new Command("dump").description("List everything in the archives of a snapshot")
      .argument("<snapshot>", "snapshot; of a group the last one");
    return addHelpNotes(addArchiveOptions(command), {
      examples: [{ text: "The last snapshot", line: "pbkfs pbs catalog dump host/db1" }],
      environment: ARCHIVE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { dumpCatalog } = await import("../../jobs/catalog_dump.ts");
    await withSnapshot(options.args[0]!, options, context, (snapshot) => {
      dumpCatalog(snapshot, output.form, context.terminal);
    });
    return 0;
  },
};

interface ShellOptions extends ArchiveOptions, ExtractOptions {}

/** `catalog shell`: look around, choose, restore. */
const shellCommand: CommandModule<ShellOptions> = {
  uses: [...ENCRYPTED_STORE_USES, "write"],

  describe() {
    const command = new Command("shell")
      .description("Look around in an archive of a snapshot, choose, and restore");
    addArchiveArguments(command, "archive: root.pxar");
    return addHelpNotes(addArchiveOptions(addExtractOptions(command)), {
      examples: [
        { text: "At a terminal", line: "pbkfs pbs catalog shell host/db1 root.pxar" },
        {
          text: "As a script, which ends at the first command that fails",
          line:
            "printf 'cd etc\\nrestore /tmp/etc\\n' | pbkfs pbs catalog shell host/db1 root.pxar",
        },
      ],
      environment: ARCHIVE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const [snapshot] = options.args;
    return await withSnapshot(snapshot!, options, context, async (reader) => {
      const { snapshotInput } = await import("#src/sources/pbs/snapshot_input.ts");
      const { openShell } = await import("../../shell/open_shell.ts");
      const { runShell } = await import("../../shell/shell_loop.ts");
      const { treeOfArchive } = await import("#src/usecases/archive/trees.ts");
      const name = options.args[1]!;
      const archive = snapshotInput(reader, name);
      const request = extractRequest(treeOfArchive(archive), options);
      const format = new Output(options, context).isJson ? "json" : "text";
      const report = { format, isVerbose: options.verbose === true } as const;
      using shell = openShell(reader, name, archive, request, report, context.terminal);
      return runShell(shell.shell, context.terminal);
    });
  },
};

/** The group. */
export const catalogGroup: CommandGroup = {
  name: "catalog",
  commands: [dumpCommand, shellCommand],
  describe() {
    return addHelpNotes(
      new Command("catalog").description("See what is in the archives of a snapshot"),
      { examples: [{ text: "Every name", line: "pbkfs pbs catalog dump host/db1" }] },
    );
  },
};
