/**
 * `pbkfs pbs key`: encryption keys and master keys.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { changePassphraseCommand } from "./change_passphrase.ts";
import { createKeyCommand } from "./create.ts";
import { importWithMasterKeyCommand } from "./import_with_master_key.ts";
import {
  createMasterKeyCommand,
  importMasterKeyCommand,
  showMasterKeyCommand,
} from "./master_key.ts";
import { paperkeyCommand } from "./paperkey.ts";
import { showKeyCommand } from "./show.ts";

/** The group. */
export const keyGroup: CommandGroup = {
  name: "key",

  commands: [
    createKeyCommand,
    showKeyCommand,
    changePassphraseCommand,
    paperkeyCommand,
    createMasterKeyCommand,
    importMasterKeyCommand,
    showMasterKeyCommand,
    importWithMasterKeyCommand,
  ],

  describe() {
    const command = new Command("key").description("Make, show and change encryption keys");
    return addHelpNotes(command, {
      examples: [
        { text: "A key that all backups use from now on", line: "pbkfs pbs key create" },
        { text: "Print it, for the safe", line: "pbkfs pbs key paperkey > key.html" },
      ],
    });
  },
};
