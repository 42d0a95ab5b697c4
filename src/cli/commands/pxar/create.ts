/**
 * `pbkfs pxar create`: a directory into an archive.
 *
 * @module
 */

import { Command, Option } from "commander";
import { type CommandModule, wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addOutputOptions,
  collect,
  type OutputOptions,
  outputRequest,
} from "../../pxar/options.ts";

interface CreateOptions extends OutputOptions {
  readonly args: readonly string[];
  readonly exclude?: readonly string[];
  readonly includeDev?: readonly string[];
  readonly allFileSystems?: boolean;
  readonly entriesMax?: string;
  /** False with `--no-xattrs`, and so on. */
  readonly xattrs: boolean;
  readonly fcaps: boolean;
  readonly acls: boolean;
  readonly skipLostAndFound?: boolean;
  readonly skipE2bigXattr?: boolean;
  readonly verbose?: boolean;
}

/** The command. */
export const createCommand: CommandModule<CreateOptions> = {
  describe() {
    const command = new Command("create")
      .description("Archive a directory")
      .argument(
        "<archive>",
        "archive to make; NAME.mpxar makes NAME.ppxar too; - is standard output",
      )
      .argument("<source>", "directory")
      .option(
        "--exclude <pattern>",
        "leave out what matches; ! in front: do not; repeatable",
        collect,
      )
      .option("--include-dev <path>", "go into the file system mounted there; repeatable", collect)
      .option("--all-file-systems", "go into every file system but pseudo ones")
      .option("--entries-max <count>", "names held in memory at most; default is 1048576")
      .option("--no-xattrs", "leave out extended attributes, capabilities and ACLs")
      .option("--no-fcaps", "leave out file capabilities")
      .option("--no-acls", "leave out ACLs")
      .option("--skip-lost-and-found", "leave out directories called lost+found")
      .option("--skip-e2big-xattr", "leave out attributes that are too big instead of failing");
    addOutputOptions(command)
      .option("-v, --verbose", "print each path");
    // Known to users of another tool, where they have no effect here either.
    for (const name of ["device-nodes", "fifos", "sockets"]) {
      command.addOption(new Option(`--no-${name}`).hideHelp());
    }
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
    const { createArchive } = await import("../../pxar/create_job.ts");
    const entriesMax = options.entriesMax === undefined
      ? undefined
      : wholeNumber(options.entriesMax, "--entries-max", 1, Number.MAX_SAFE_INTEGER);
    await createArchive({
      source: source!,
      output: outputRequest(archive!, options),
      report: options.format.report,
      isVerbose: options.verbose === true,
      build: {
        exclude: options.exclude ?? [],
        includeDevices: options.includeDev ?? [],
        allFileSystems: options.allFileSystems === true,
        ...(entriesMax === undefined ? {} : { entriesMax }),
        xattrs: options.xattrs,
        fcaps: options.xattrs && options.fcaps,
        acls: options.xattrs && options.acls,
        skipLostAndFound: options.skipLostAndFound === true,
        skipsLargeXattrs: options.skipE2bigXattr === true,
      },
    }, terminal);
    return 0;
  },
};
