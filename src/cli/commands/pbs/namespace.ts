/**
 * `pbkfs pbs namespace`: the namespaces of a datastore.
 *
 * @module
 */

import { Command } from "commander";
import { parseNamespace } from "#src/pbs/format/snapshot_path.ts";
import type { CommandGroup, CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../output/output.ts";
import {
  addPlaceOptions,
  addStoreOptions,
  namespaceOf,
  type PlaceOptions,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../datastore/store.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface NamespaceOptions extends PlaceOptions, FormatChoice {
  readonly args: readonly string[];
  readonly deleteGroups?: boolean;
}

const listCommand: CommandModule<StoreOptions & FormatChoice> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("list").description("List namespaces");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [
        { text: "All namespaces", line: "pbkfs pbs namespace list --repository dir:/srv/store" },
        { text: "Those below one", line: "pbkfs pbs namespace list --ns team" },
      ],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const below = namespaceOf(options, context);
    const records = await withStore(
      options,
      context,
      "read",
      (store) => store.namespaces(below).map((ns) => ({ ns })),
    );
    if (output.isJson) {
      output.records(records, { columns: [], row: () => [] });
    } else {
      // The root has no name.
      const names = records.map(({ ns }) => ns).filter((ns) => ns !== "");
      context.terminal.out(names.map((ns) => `${ns}\n`).join(""));
    }
    return 0;
  },
};

const createCommand: CommandModule<NamespaceOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("create")
      .description("Make a namespace inside of one that exists")
      .argument("<namespace>", "namespace, such as team/sub");
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [{ text: "A namespace", line: "pbkfs pbs namespace create team" }],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = parseNamespace(options.args[0]!);
    await withStore(options, context, "write", (store) => store.createNamespace(ns));
    output.summary({ ns });
    return 0;
  },
};

const deleteCommand: CommandModule<NamespaceOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("delete")
      .description("Remove an empty namespace")
      .argument("<namespace>", "namespace")
      .option("--delete-groups", "remove what is in it too, except protected snapshots");
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        { text: "An empty namespace", line: "pbkfs pbs namespace delete team/sub" },
        {
          text: "A namespace with everything in it",
          line: "pbkfs pbs namespace delete team --delete-groups",
        },
      ],
      environment: STORE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = parseNamespace(options.args[0]!);
    const isRecursive = options.deleteGroups === true;
    await withStore(options, context, "write", (store) => store.removeNamespace(ns, isRecursive));
    output.summary({ ns });
    return 0;
  },
};

/** The group. */
export const namespaceGroup: CommandGroup = {
  name: "namespace",

  commands: [listCommand, createCommand, deleteCommand],

  describe() {
    return addHelpNotes(new Command("namespace").description("List, make and remove namespaces"), {
      examples: [{ text: "All namespaces", line: "pbkfs pbs namespace list" }],
    });
  },
};
