/**
 * `pbkfs pxar`: everything about pxar archives.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { normalizeArguments } from "../../options/archive_arguments.ts";
import { cpCommand, mergeCommand } from "./copy.ts";
import { createCommand } from "./create.ts";
import { archiveVerbs, extractArchiveCommand } from "./entries.ts";
import { keygenCommand } from "./keygen.ts";
import { pxarMountCommand } from "./mount.ts";
import { verifyCommand } from "./verify.ts";

const GROUP_NAME = "pxar";

/** The group; also what the executable is when it is called `pxar`. */
export const pxarGroup: ProgramGroup = {
  name: GROUP_NAME,

  commands: [
    createCommand,
    extractArchiveCommand,
    ...archiveVerbs,
    cpCommand,
    mergeCommand,
    verifyCommand,
    pxarMountCommand,
    keygenCommand,
  ],

  describe() {
    const command = new Command(GROUP_NAME)
      .description("Make, read, compare and mount pxar archives");
    return addHelpNotes(command, {
      examples: [
        { text: "Archive a directory", line: "pbkfs pxar create home.pxar /home" },
        { text: "What is in it", line: "pbkfs pxar ls -l home.pxar /alice" },
        { text: "Restore all of it", line: "pbkfs pxar extract home.pxar /restored" },
        { text: "Look at it without restoring", line: "pbkfs pxar mount home.pxar /mnt" },
      ],
    });
  },

  normalize: normalizeArguments,
};
