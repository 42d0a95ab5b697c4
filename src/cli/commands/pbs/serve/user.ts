/**
 * `pbkfs pbs serve user`: who may log in to this server.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { addNewPasswordOption, newPassword } from "../../../keys/key_lock_options.ts";
import { Output } from "../../../output/output.ts";
import { addStateOption, STATE_USES, type StateOption } from "./state_option.ts";

interface PasswordOptions extends StateOption {
  readonly passwordFile?: string;
}

/** `add` and `passwd` differ in whether the user must be there. */
function passwordCommand(name: "add" | "passwd", text: string): CommandModule<PasswordOptions> {
  return {
    uses: STATE_USES,

    describe() {
      const command = new Command(name).description(text)
        .argument("<user>", "user and realm, such as backup@pbs");
      return addHelpNotes(addNewPasswordOption(addStateOption(command)), {
        examples: [{
          text: "Ask for the password",
          line: `pbkfs pbs serve user ${name} backup@pbs`,
        }],
      });
    },

    async run(options, context) {
      const output = new Output(options, context);
      const { parseUserId } = await import("#src/pbs/server/access/auth_id.ts");
      const { changeAccess, withPassword, withUser } = await import(
        "#src/pbs/server/access/access_file.ts"
      );
      const { hashPassword } = await import("#src/pbs/server/access/secret_hash.ts");
      const user = parseUserId(options.args[0]!);
      const hash = await hashPassword(newPassword(options.passwordFile, context, "New Password: "));
      const change = name === "add" ? withUser : withPassword;
      changeAccess(options.stateDir, (data) => change(data, user, hash));
      output.summary({ user });
      return 0;
    },
  };
}

const listCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    return addHelpNotes(addStateOption(new Command("list").description("List users")), {
      examples: [{ text: "All users", line: "pbkfs pbs serve user list" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readAccess } = await import("#src/pbs/server/access/access_file.ts");
    const records = [...readAccess(options.stateDir).users.keys()].sort().map((user) => ({ user }));
    output.records(records, { columns: [{ title: "user" }], row: ({ user }) => [user] });
    return 0;
  },
};

const removeCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    const command = new Command("remove")
      .description("Remove a user with his tokens and permissions; his backups stay")
      .argument("<user>", "user");
    return addHelpNotes(addStateOption(command), {
      examples: [{ text: "A user", line: "pbkfs pbs serve user remove backup@pbs" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { parseUserId } = await import("#src/pbs/server/access/auth_id.ts");
    const { changeAccess, withoutUser } = await import("#src/pbs/server/access/access_file.ts");
    const user = parseUserId(options.args[0]!);
    changeAccess(options.stateDir, (data) => withoutUser(data, user));
    output.summary({ user });
    return 0;
  },
};

/** The group. */
export const userGroup: CommandGroup = {
  name: "user",

  commands: [
    passwordCommand("add", "Add a user"),
    listCommand,
    removeCommand,
    passwordCommand("passwd", "Change a password; tickets of the user are good no more"),
  ],

  describe() {
    return addHelpNotes(new Command("user").description("Users of this server"), {
      examples: [{ text: "A new user", line: "pbkfs pbs serve user add backup@pbs" }],
    });
  },
};
