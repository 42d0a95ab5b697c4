/**
 * `pbkfs pbs serve token`: what programs log in with.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { Output } from "../../../output/output.ts";
import { addStateOption, STATE_USES, type StateOption } from "./state_option.ts";

const addCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    const command = new Command("add")
      .description("Add an API token and print its secret, which cannot be shown again")
      .argument("<token>", "user and name, such as backup@pbs!nightly");
    return addHelpNotes(addStateOption(command), {
      examples: [{ text: "A token", line: "pbkfs pbs serve token add 'backup@pbs!nightly'" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { parseTokenId } = await import("#src/pbs/server/access/auth_id.ts");
    const { changeAccess, withToken } = await import("#src/pbs/server/access/access_file.ts");
    const { hashTokenSecret, newTokenSecret } = await import(
      "#src/pbs/server/access/secret_hash.ts"
    );
    const token = parseTokenId(options.args[0]!);
    const secret = newTokenSecret();
    const hash = hashTokenSecret(secret);
    changeAccess(options.stateDir, (data) => withToken(data, token, hash));
    output.value({ token, secret }, () => `${secret}\n`);
    return 0;
  },
};

const listCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    return addHelpNotes(addStateOption(new Command("list").description("List API tokens")), {
      examples: [{ text: "All tokens", line: "pbkfs pbs serve token list" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readAccess } = await import("#src/pbs/server/access/access_file.ts");
    const tokens = [...readAccess(options.stateDir).tokens.keys()].sort();
    const records = tokens.map((token) => ({ token }));
    output.records(records, { columns: [{ title: "token" }], row: ({ token }) => [token] });
    return 0;
  },
};

const removeCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    const command = new Command("remove")
      .description("Remove an API token with its permissions")
      .argument("<token>", "token");
    return addHelpNotes(addStateOption(command), {
      examples: [{ text: "A token", line: "pbkfs pbs serve token remove 'backup@pbs!nightly'" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { parseTokenId } = await import("#src/pbs/server/access/auth_id.ts");
    const { changeAccess, withoutToken } = await import("#src/pbs/server/access/access_file.ts");
    const token = parseTokenId(options.args[0]!);
    changeAccess(options.stateDir, (data) => withoutToken(data, token));
    output.summary({ token });
    return 0;
  },
};

/** The group. */
export const tokenGroup: CommandGroup = {
  name: "token",

  commands: [addCommand, listCommand, removeCommand],

  describe() {
    return addHelpNotes(new Command("token").description("API tokens of users of this server"), {
      examples: [{ text: "A token", line: "pbkfs pbs serve token add 'backup@pbs!nightly'" }],
    });
  },
};
