/**
 * `pbkfs pbs snapshot`: the commands for snapshots by the names that they have with other tools.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { filesCommand } from "./files.ts";
import { forgetCommand } from "./forget.ts";
import { notesGroup } from "./notes.ts";
import { protectedGroup } from "./protect.ts";
import { snapshotsCommand } from "./list.ts";
import { uploadLogCommand } from "./upload_log.ts";

/** The group. */
export const snapshotGroup: CommandGroup = {
  name: "snapshot",

  commands: [
    snapshotsCommand("list", "pbs snapshot list"),
    filesCommand("pbs snapshot files"),
    forgetCommand("pbs snapshot forget"),
    uploadLogCommand,
  ],

  groups: [notesGroup, protectedGroup],

  describe() {
    return addHelpNotes(
      new Command("snapshot").description("List, note, protect and remove snapshots"),
      {
        examples: [
          { text: "All snapshots", line: "pbkfs pbs snapshot list" },
          {
            text: "Remove one",
            line: "pbkfs pbs snapshot forget host/db1/2024-01-10T10:00:00Z",
          },
        ],
      },
    );
  },
};
