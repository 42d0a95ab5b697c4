/**
 * `pbkfs branch`: diff directories that were made over others.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { branchListCommand } from "./list.ts";
import { branchRemoveCommand } from "./remove.ts";
import { branchTreeCommand } from "./tree.ts";

/** The group. */
export const branchGroup: ProgramGroup = {
  name: "branch",

  commands: [branchListCommand, branchTreeCommand, branchRemoveCommand],

  describe() {
    const command = new Command("branch")
      .description("Thin clones: list, draw and remove what was mounted with --branch-of");
    return addHelpNotes(command, {
      examples: [
        {
          text: "Make one",
          line: "pbkfs mount --branch-of /var/tmp/diff -d /var/tmp/clone /mnt/clone",
        },
        { text: "What there is", line: "pbkfs branch tree /var/tmp/diff" },
        { text: "Throw it away", line: "pbkfs branch rm /var/tmp/clone" },
      ],
    });
  },

  normalize: (args) => [...args],
};
