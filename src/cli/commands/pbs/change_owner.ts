/**
 * `pbkfs pbs change-owner`: gives a group to somebody else.
 *
 * @module
 */

import { Command } from "commander";
import { parseGroup } from "#src/pbs/format/snapshot_path.ts";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../datastore/store.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface ChangeOwnerOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
}

/** The command. */
export const changeOwnerCommand: CommandModule<ChangeOwnerOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("change-owner")
      .description("Give a group to another user of the server that serves the datastore")
      .argument("<group>", "group")
      .argument("<owner>", "user or token, such as root@pam or backup@pbs!nightly");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{ text: "Another owner", line: "pbkfs pbs change-owner host/db1 admin@pbs" }],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [name = "", owner = ""] = options.args;
    const group = parseGroup(name, namespaceOf(options, context));
    await withStore(options, context, "write", (store) => store.setOwner(group, owner));
    output.summary({ group: name, owner });
    return 0;
  },
};
