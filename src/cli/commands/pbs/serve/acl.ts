/**
 * `pbkfs pbs serve acl`: who may do what.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandGroup, CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { Output } from "../../../output/output.ts";
import { addStateOption, STATE_USES, type StateOption } from "./state_option.ts";

interface AddOptions extends StateOption {
  readonly propagate: boolean;
}

function entryArguments(command: Command): Command {
  return command
    .argument("<path>", "/datastore/STORE[/NAMESPACE], /datastore or /")
    .argument("<auth-id>", "user or token")
    .argument(
      "<role>",
      "audit, read, backup, power (backup and prune), admin, none, or Admin on /",
    );
}

async function parsedEntry([path, authId, role]: readonly string[]) {
  const { parseAuthId } = await import("#src/pbs/server/access/auth_id.ts");
  const { parseAclPath, parseRole } = await import("#src/pbs/server/access/privileges.ts");
  return { path: parseAclPath(path!), authId: parseAuthId(authId!), role: parseRole(role!) };
}

const addCommand: CommandModule<AddOptions> = {
  uses: STATE_USES,

  describe() {
    const command = new Command("add").description("Give a role to a user or a token");
    return addHelpNotes(
      addStateOption(
        entryArguments(command).option("--no-propagate", "not for what is below the path"),
      ),
      {
        examples: [
          {
            text: "Backups of his own",
            line: "pbkfs pbs serve acl add /datastore/main backup@pbs backup",
          },
          {
            text: "A token needs its own, and has no more than its user",
            line: "pbkfs pbs serve acl add /datastore/main 'backup@pbs!nightly' backup",
          },
        ],
      },
    );
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { changeAccess, withAclEntry } = await import("#src/pbs/server/access/access_file.ts");
    const entry = { ...await parsedEntry(options.args), isPropagated: options.propagate };
    changeAccess(options.stateDir, (data) => withAclEntry(data, entry));
    output.summary({ path: entry.path, "auth-id": entry.authId, role: entry.role });
    return 0;
  },
};

const listCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    return addHelpNotes(addStateOption(new Command("list").description("List who may do what")), {
      examples: [{ text: "All roles", line: "pbkfs pbs serve acl list" }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readAccess } = await import("#src/pbs/server/access/access_file.ts");
    const records = readAccess(options.stateDir).acl.map((entry) => ({
      path: entry.path,
      "auth-id": entry.authId,
      role: entry.role,
      propagate: entry.isPropagated,
    }));
    output.records(records, {
      columns: [{ title: "path" }, { title: "auth-id" }, { title: "role" }, { title: "propagate" }],
      row: (record) => [record.path, record["auth-id"], record.role, String(record.propagate)],
    });
    return 0;
  },
};

const removeCommand: CommandModule<StateOption> = {
  uses: STATE_USES,

  describe() {
    const command = new Command("remove").description("Take a role back");
    return addHelpNotes(addStateOption(entryArguments(command)), {
      examples: [
        { text: "A role", line: "pbkfs pbs serve acl remove /datastore/main backup@pbs backup" },
      ],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { changeAccess, withoutAclEntry } = await import("#src/pbs/server/access/access_file.ts");
    const entry = await parsedEntry(options.args);
    changeAccess(options.stateDir, (data) => withoutAclEntry(data, entry));
    output.summary({ path: entry.path, "auth-id": entry.authId, role: entry.role });
    return 0;
  },
};

/** The group. */
export const aclGroup: CommandGroup = {
  name: "acl",

  commands: [addCommand, listCommand, removeCommand],

  describe() {
    return addHelpNotes(new Command("acl").description("Who may do what on this server"), {
      examples: [
        {
          text: "Backups of his own",
          line: "pbkfs pbs serve acl add /datastore/main backup@pbs backup",
        },
      ],
    });
  },
};
