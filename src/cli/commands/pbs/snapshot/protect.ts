/**
 * `pbkfs pbs protect`, also `pbkfs pbs snapshot protected show|update`: snapshots that cannot be
 * removed.
 *
 * @module
 */

import { Argument, Command } from "commander";
import { parseSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { CommandContext, CommandGroup, CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../../datastore/store.ts";
import { STORE_USES } from "../../../datastore/store_uses.ts";

interface ProtectOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
  readonly off?: boolean;
}

/** Protects a snapshot, or ends that. */
export const protectCommand: CommandModule<ProtectOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("protect")
      .description("Protect a snapshot from being removed or pruned")
      .argument("<snapshot>", "snapshot")
      .option("--off", "end the protection");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [
        { text: "Keep a snapshot", line: "pbkfs pbs protect host/db1/2024-01-10T10:00:00Z" },
        {
          text: "Allow its removal",
          line: "pbkfs pbs protect --off host/db1/2024-01-10T10:00:00Z",
        },
      ],
      environment: STORE_ENVIRONMENT,
    });
  },

  run: (options, context) => protect(options, context, options.off !== true),
};

const showCommand: CommandModule<ProtectOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("show")
      .description("Show whether a snapshot is protected")
      .argument("<snapshot>", "snapshot");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{
        text: "Whether it is protected",
        line: "pbkfs pbs snapshot protected show host/db1/2024-01-10T10:00:00Z",
      }],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const snapshot = parseSnapshot(options.args[0]!, namespaceOf(options, context));
    const { isProtected } = await withStore(
      options,
      context,
      "read",
      (store) => store.snapshotInfo(snapshot),
    );
    output.value(isProtected, () => `${isProtected}\n`);
    return 0;
  },
};

const updateCommand: CommandModule<ProtectOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("update")
      .description("Protect a snapshot, or end that")
      .argument("<snapshot>", "snapshot")
      .addArgument(
        new Argument("<protected>", "whether it is protected")
          .choices(["true", "false", "1", "0", "on", "off", "yes", "no"]),
      );
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [{
        text: "Keep a snapshot",
        line: "pbkfs pbs snapshot protected update host/db1/2024-01-10T10:00:00Z true",
      }],
      environment: STORE_ENVIRONMENT,
    });
  },

  run: (options, context) =>
    protect(options, context, ["true", "1", "on", "yes"].includes(options.args[1]!)),
};

/** `protected` among the commands for snapshots. */
export const protectedGroup: CommandGroup = {
  name: "protected",

  commands: [showCommand, updateCommand],

  describe() {
    const command = new Command("protected").description("Protect snapshots from being removed");
    return addHelpNotes(command, {
      examples: [{
        text: "Keep a snapshot",
        line: "pbkfs pbs snapshot protected update host/db1/2024-01-10T10:00:00Z true",
      }],
    });
  },
};

async function protect(
  options: ProtectOptions,
  context: CommandContext,
  isProtected: boolean,
): Promise<number> {
  const output = new Output(options, context);
  const [name = ""] = options.args;
  const snapshot = parseSnapshot(name, namespaceOf(options, context));
  await withStore(options, context, "write", (store) => {
    store.setProtected(snapshot, isProtected);
  });
  output.summary({ snapshot: name, protected: isProtected });
  return 0;
}
