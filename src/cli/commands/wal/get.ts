/**
 * `pbkfs wal get`: a file of a WAL archive for a server that recovers.
 *
 * @module
 */

import { Command, Option } from "commander";
import {
  addCatalogOptions,
  type CatalogOptions,
  type CommandModule,
  formatOption,
  type FormatOptions,
  required,
  storePath,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";

interface GetWalOptions extends CatalogOptions, FormatOptions {
  readonly args: readonly string[];
  readonly instance?: string;
  readonly walFileName?: string;
  readonly walFilePath?: string;
}

/** The server takes it for the end of the archive. */
const MISSING = 1;

/**
 * Above 125: a server that recovers gives up, instead of taking it for the end of the archive, as
 * for a command that is not found.
 */
const FATAL = 126;

/** The command. */
export const getWalCommand: CommandModule<GetWalOptions> = {
  uses: ["read", "ffi", "env"],
  failureCode: FATAL,

  describe() {
    const command = new Command("get")
      .description("Write a file of a catalog's WAL archive where a server wants it")
      .argument("[name]", "file name: %f in a restore_command")
      .argument("[path]", "where to write it: %p");
    addCatalogOptions(command)
      .option("-I, --instance <name>", "instance of the catalog")
      .addOption(new Option("--wal-file-name <name>", "same as the first argument").hideHelp())
      .addOption(new Option("--wal-file-path <path>", "same as the second argument").hideHelp())
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        {
          text: "In postgresql.conf, with recovery.signal beside it",
          line: "restore_command = 'pbkfs wal get -B /backups --instance main %f %p'",
        },
      ],
      environment: { BACKUP_PATH: "backup catalog where -B is not given" },
      exitStatus: {
        0: "The file is there, durable.",
        1: "The archive does not have it: a server takes that for its end.",
        126: "Any other failure, a wrong command line too: a server gives up recovering.",
      },
    });
  },

  async run(options, context) {
    const { getWal } = await import("#src/usecases/wal/get_wal.ts");
    const [name = options.walFileName, path = options.walFilePath] = options.args;
    const answer = getWal({
      store: storePath(options, context),
      instance: required(options.instance, "-I/--instance", "Give the instance of the catalog"),
      name: required(name, "<name>", "Give what the server replaces %f by"),
      targetPath: required(path, "<path>", "Give what the server replaces %p by"),
    });
    if (answer !== undefined) return 0;
    context.terminal.err(`pbkfs: the archive has no "${name}"\n`);
    return MISSING;
  },
};
