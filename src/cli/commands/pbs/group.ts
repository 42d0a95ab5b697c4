/**
 * `pbkfs pbs group`: what is done to whole groups.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { forgetGroupCommand } from "./snapshot/forget.ts";

/** The group. */
export const groupGroup: CommandGroup = {
  name: "group",

  commands: [forgetGroupCommand],

  describe() {
    return addHelpNotes(new Command("group").description("Remove groups"), {
      examples: [{ text: "Remove a group", line: "pbkfs pbs group forget host/db1" }],
    });
  },
};
