/**
 * `pbkfs hydrate`: everything of the backup comes into the diff directory of a mount.
 *
 * @module
 */

import { Command } from "commander";
import type { ProgramGroup } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { hydrateStartCommand } from "./start.ts";
import { hydrateStatusCommand } from "./status.ts";
import { hydrateStopCommand } from "./stop.ts";

/** The group. */
export const hydrateGroup: ProgramGroup = {
  name: "hydrate",

  commands: [hydrateStartCommand, hydrateStopCommand, hydrateStatusCommand],

  describe() {
    const command = new Command("hydrate")
      .description("Copy the rest of the backup into the diff directory while the mount is used");
    return addHelpNotes(command, {
      examples: [
        { text: "From the mount on", line: "pbkfs mount -d /var/tmp/diff /mnt/pg --hydrate" },
        { text: "Later, at 200 MiB/s", line: "pbkfs hydrate start -D /mnt/pg --rate 200M" },
        { text: "How far it is", line: "pbkfs hydrate status -D /mnt/pg" },
      ],
    });
  },

  normalize: (args) => [...args],
};
