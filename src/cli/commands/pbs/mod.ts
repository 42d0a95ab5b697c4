/**
 * `pbkfs pbs`: backups in Proxmox datastores.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { normalizeGroupArguments } from "../../pbs/arguments.ts";
import { keyGroup } from "./key/mod.ts";

const GROUP_NAME = "pbs";

/** The group; also what the executable is when it is called `pbs`. */
export const pbsGroup: ProgramGroup = {
  name: GROUP_NAME,

  commands: [],

  groups: [keyGroup],

  describe() {
    const command = new Command(GROUP_NAME)
      .description("Back up to Proxmox datastores, restore from them, and look after them");
    return addHelpNotes(command, {
      examples: [
        { text: "Make a datastore", line: "pbkfs pbs datastore create /srv/store" },
        {
          text: "Back up a directory",
          line: "pbkfs pbs backup root.pxar:/home --repository dir:/srv/store",
        },
        { text: "What is there", line: "pbkfs pbs snapshots --repository dir:/srv/store" },
      ],
      environment: { PBS_REPOSITORY: "datastore where --repository is not given: dir:/path" },
    });
  },

  normalize: normalizeGroupArguments,
};
