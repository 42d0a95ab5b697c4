/**
 * `pbkfs pbs datastore`: makes datastores.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../command.ts";
import type { ConditionalUse } from "../../permissions.ts";
import { addHelpNotes } from "../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";

interface CreateOptions extends FormatChoice {
  readonly args: readonly string[];
  readonly owner?: string;
}

const OWNER_LOOK_UP: ConditionalUse = {
  use: "run",
  when: "`--owner` is given",
  holds: ({ owner }) => owner !== undefined,
};

const createCommand: CommandModule<CreateOptions> = {
  uses: ["read", "ffi", "env", OWNER_LOOK_UP],

  describe() {
    const command = new Command("create")
      .description("Make a datastore in a new or empty directory")
      .argument("<directory>", "directory")
      .option("--owner <user[:group]>", "whose files they shall be, such as backup (for root)");
    return addHelpNotes(addFormatOptions(command), {
      examples: [
        { text: "A datastore", line: "pbkfs pbs datastore create /srv/store" },
        {
          text: "One that a server on this machine will serve",
          line: "pbkfs pbs datastore create /srv/store --owner backup",
        },
      ],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [path = ""] = options.args;
    const { parseOwner } = await import("../../options/owner.ts");
    const { resolve } = await import("node:path");
    const { Datastore } = await import("#src/pbs/datastore.ts");
    const owner = options.owner === undefined ? undefined : parseOwner(options.owner);
    Datastore.create(resolve(path), { owner });
    output.summary({ path: resolve(path) });
    return 0;
  },
};

/** The group. */
export const datastoreGroup: CommandGroup = {
  name: "datastore",

  commands: [createCommand],

  describe() {
    return addHelpNotes(new Command("datastore").description("Make datastores"), {
      examples: [{ text: "A datastore", line: "pbkfs pbs datastore create /srv/store" }],
    });
  },
};
