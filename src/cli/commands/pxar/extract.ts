/**
 * `pbkfs pxar extract`: an archive, or parts of it, into the file system.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { STANDARD_STREAM } from "../../pxar/archive_files.ts";
import { addPayloadOption, collect, payloadOf, type PayloadOptions } from "../../pxar/options.ts";
import type { ExtractRequest } from "../../pxar/extract_job.ts";

interface ExtractOptions extends FormatOptions, PayloadOptions {
  readonly args: readonly string[];
  readonly output?: string;
  readonly pattern?: readonly string[];
  readonly filesFrom?: string;
  readonly overwrite?: boolean;
  readonly overwriteFiles?: boolean;
  readonly overwriteSymlinks?: boolean;
  readonly overwriteHardlinks?: boolean;
  readonly allowExistingDirs?: boolean;
  readonly strict?: boolean;
  readonly ignoreExtractDeviceErrors?: boolean;
  readonly preludeTarget?: string;
  readonly dryRun?: boolean;
  readonly verbose?: boolean;
  /** False with `--no-owner`, and so on. */
  readonly owner: boolean;
  readonly permissions: boolean;
  readonly xattrs: boolean;
  readonly fcaps: boolean;
  readonly acls: boolean;
  readonly flags: boolean;
  readonly deviceNodes: boolean;
  readonly fifos: boolean;
  readonly sockets: boolean;
}

/** The command. */
export const extractCommand: CommandModule<ExtractOptions> = {
  describe() {
    const command = new Command("extract").alias("x")
      .description("Restore an archive, or parts of it")
      .usage("[options] <archive> [target]\n       extract [options] <archive> <path...> -o <out>")
      .argument("<archive>", "archive; - is standard input")
      .argument(
        "[target or path...]",
        "directory to restore to, default is .; with -o: what to restore",
      );
    addPayloadOption(command)
      .option("-o, --output <out>", "where one file or directory goes; - is standard output")
      .option("--pattern <pattern>", "restore what matches; repeatable", collect)
      .option("--files-from <file>", "file with one pattern a line")
      .option("--overwrite", "replace files, links and special files")
      .option("--overwrite-files", "replace by files")
      .option("--overwrite-symlinks", "replace by symbolic links")
      .option("--overwrite-hardlinks", "replace by hard links")
      .option("--allow-existing-dirs", "restore into directories that are there already")
      .option("--no-owner", "keep the restoring user as owner")
      .option("--no-permissions", "leave files at mode 0600, directories at 0700")
      .option("--no-xattrs", "leave out extended attributes")
      .option("--no-fcaps", "leave out file capabilities")
      .option("--no-acls", "leave out ACLs")
      .option("--no-flags", "leave out the attributes of chattr")
      .option("--no-device-nodes", "leave out devices")
      .option("--no-fifos", "leave out FIFOs")
      .option("--no-sockets", "leave out sockets")
      .option("--strict", "stop at the first entry that cannot be restored")
      .option("--prelude-target <file>", "write the archive's prelude to a file")
      .option("--dry-run", "do everything but write")
      .option("-v, --verbose", "print each path")
      .addOption(new Option("--ignore-extract-device-errors").hideHelp())
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "Restore everything", line: "pbkfs pxar extract home.pxar /restored" },
        {
          text: "Restore what matches",
          line: "pbkfs pxar extract home.pxar /restored --pattern '/alice/**/*.txt'",
        },
        { text: "One file", line: "pbkfs pxar extract home.pxar /alice/notes.txt -o notes.txt" },
        { text: "One directory", line: "pbkfs pxar x home.pxar /alice/mail -o mail" },
        { text: "From a pipe", line: "zstdcat home.pxar.zst | pbkfs pxar extract - /restored" },
      ],
      exitStatus: {
        1: "Failure, or entries could not be restored completely; the others are.",
      },
    });
  },

  run(options, context) {
    return options.output === undefined
      ? extractAll(options, context)
      : extractChosen(options, options.output, context);
  },
};

async function extractAll(options: ExtractOptions, { terminal }: CommandContext): Promise<number> {
  const [archive, target = ".", ...rest] = options.args;
  if (rest.length > 0) {
    throw new UsageError("Cannot extract to several targets", {
      option: "target",
      hint: "To restore parts of the archive use --pattern, or -o with their paths",
    });
  }
  const { extractToTarget } = await import("../../pxar/extract_job.ts");
  extractToTarget(extractRequest(archive!, options), target, terminal);
  return 0;
}

async function extractChosen(
  options: ExtractOptions,
  output: string,
  { terminal }: CommandContext,
): Promise<number> {
  const [archive, ...paths] = options.args;
  checkChosen(archive!, paths, output, options);
  if (output === STANDARD_STREAM) {
    const { readFiles } = await import("../../pxar/contents.ts");
    const request = { archive: archive!, payload: payloadOf(options), paths };
    readFiles(request, (bytes) => terminal.outBytes(bytes));
    return 0;
  }
  const { extractPathsTo } = await import("../../pxar/extract_job.ts");
  extractPathsTo(extractRequest(archive!, options), paths, output, terminal);
  return 0;
}

function checkChosen(
  archive: string,
  paths: readonly string[],
  output: string,
  options: ExtractOptions,
): void {
  if (paths.length === 0) {
    throw new UsageError("path is required with -o/--output", {
      option: "path",
      hint: "To restore the whole archive name the target without -o",
    });
  }
  if (archive === STANDARD_STREAM && output !== STANDARD_STREAM) {
    throw new UsageError("Cannot use -o with an archive from standard input", {
      option: "--output",
      hint: "Use --pattern and a target directory, or -o - for contents",
    });
  }
  if (options.pattern !== undefined || options.filesFrom !== undefined) {
    throw new UsageError("Cannot use patterns together with -o/--output", { option: "--pattern" });
  }
}

function extractRequest(archive: string, options: ExtractOptions): ExtractRequest {
  const { owner, permissions, xattrs, fcaps, acls, flags, deviceNodes, fifos, sockets } = options;
  const isReplacing = options.overwrite === true;
  return {
    archive,
    payload: payloadOf(options),
    patterns: options.pattern ?? [],
    filesFrom: options.filesFrom,
    preludeTarget: options.preludeTarget,
    isDryRun: options.dryRun === true,
    isStrict: options.strict === true,
    isVerbose: options.verbose === true,
    ignoresDeviceErrors: options.ignoreExtractDeviceErrors === true,
    report: options.format,
    target: {
      features: {
        owner,
        permissions,
        xattrs,
        fcaps,
        acls,
        flags,
        deviceNodes,
        fifos,
        sockets,
        projectIds: true,
      },
      overwrite: {
        files: isReplacing || options.overwriteFiles === true,
        symlinks: isReplacing || options.overwriteSymlinks === true,
        hardlinks: isReplacing || options.overwriteHardlinks === true,
        specials: isReplacing,
        directories: options.allowExistingDirs === true,
      },
    },
  };
}
