/**
 * `pbkfs show`: what a catalog holds and what of it can be mounted. Needs to read files and nothing
 * else.
 *
 * @module
 */

import { Command } from "commander";
import { StateError } from "#src/errors.ts";
import {
  addCatalogOptions,
  type CatalogOptions,
  type CommandModule,
  formatOption,
  type FormatOptions,
  storePath,
} from "../command.ts";
import { addHelpNotes } from "../help.ts";

interface ShowOptions extends CatalogOptions, FormatOptions {
  readonly instance?: string;
  readonly backupId?: string;
}

/** The command. */
export const showCommand: CommandModule<ShowOptions> = {
  uses: ["read", "ffi", "env"],

  describe() {
    const command = new Command("show")
      .description("List instances, chains and backups, and whether each can be mounted");
    addCatalogOptions(command)
      .option("-I, --instance <name>", "only this instance")
      .option("-i, --backup-id <id>", "only this backup")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "All backups, each below its parent", line: "pbkfs show -B /backups" },
        {
          text: "Backups that can be mounted",
          line: "pbkfs show -B /backups --format json | " +
            "jq -r '.instances[].backups[] | select(.mountable) | .id'",
        },
      ],
      environment: { BACKUP_PATH: "backup catalog where -B is not given" },
      exitStatus: { 1: "Failure, or an instance that may not be looked into." },
    });
  },

  async run(options, context) {
    const store = storePath(options, context);
    const { describeCatalog } = await import("#src/pgprobackup/describe.ts");
    const catalog = describeCatalog({
      store,
      instance: options.instance,
      backupId: options.backupId,
    });
    if (options.format === "json") {
      context.terminal.out(JSON.stringify(catalog, null, 2) + "\n");
    } else {
      const { formatCatalog } = await import("../output/catalog_text.ts");
      context.terminal.out(formatCatalog(catalog, context.terminal.columns));
    }
    const unreadable = catalog.instances.filter((instance) => instance.unreadable === true);
    if (unreadable.length === 0) return 0;
    const problems = unreadable.map(({ problem }) => problem).join("; ");
    throw new StateError("partial", `Cannot show all instances: ${problems}`);
  },
};
