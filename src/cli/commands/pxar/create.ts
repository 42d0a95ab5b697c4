/**
 * `pbkfs pxar create`: a directory into an archive.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addCreateOptions,
  type ArchiveCreateOptions,
  buildOptions,
} from "../../options/create_options.ts";
import {
  addOutputOptions,
  type OutputOptions,
  outputRequest,
} from "../../options/archive_options.ts";

interface CreateCommandOptions extends OutputOptions, ArchiveCreateOptions {
  readonly args: readonly string[];
  readonly verbose?: boolean;
}

/** The command. */
export const createCommand: CommandModule<CreateCommandOptions> = {
  uses: ["read", "write", "ffi"],

  describe() {
    const command = new Command("create")
      .description("Archive a directory")
      .argument(
        "<archive>",
        "archive to make; NAME.mpxar makes NAME.ppxar too; - is standard output",
      )
      .argument("<source>", "directory");
    addCreateOptions(command);
    addOutputOptions(command)
      .option("-v, --verbose", "print each path");
    return addHelpNotes(command, {
      examples: [
        { text: "Archive a directory", line: "pbkfs pxar create home.pxar /home" },
        {
          text: "Leave something out",
          line: "pbkfs pxar create home.pxar /home --exclude '*.tmp' --exclude '/alice/cache'",
        },
        { text: "Metadata and contents apart", line: "pbkfs pxar create home.mpxar /home" },
        { text: "Compressed", line: "pbkfs pxar create - /home | zstd > home.pxar.zst" },
      ],
      exitStatus: {
        1: "Failure (there is no archive), or files could not be read (there is one).",
      },
    });
  },

  async run(options, { terminal }) {
    const [archive, source] = options.args;
    const { runCreation } = await import("../../jobs/create_job.ts");
    runCreation({
      source: source!,
      output: outputRequest(archive!, options),
      report: options.format.report,
      isVerbose: options.verbose === true,
      build: buildOptions(options),
    }, terminal);
    return 0;
  },
};
