/**
 * `pbkfs wal`: archives of WAL.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { getWalCommand } from "./get.ts";

/** The group. */
export const walGroup: ProgramGroup = {
  name: "wal",

  commands: [getWalCommand],

  describe() {
    const command = new Command("wal").description("Fetch files of WAL archives, for recovery");
    return addHelpNotes(command, {
      examples: [
        {
          text: "As the server's restore_command",
          line: "pbkfs wal get -B /backups --instance main %f %p",
        },
      ],
    });
  },

  normalize: (args) => [...args],
};
