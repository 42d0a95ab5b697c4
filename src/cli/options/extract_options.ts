/**
 * The options of commands that restore archives.
 *
 * @module
 */

import { type Command, Option } from "commander";
import type { TreeInput } from "#src/usecases/archive/trees.ts";
import type { ExtractRequest } from "#src/usecases/archive/extraction.ts";
import { collect } from "./archive_options.ts";

/** Values of {@link addExtractOptions}. */
export interface ExtractOptions {
  readonly pattern?: readonly string[];
  readonly filesFrom?: string;
  readonly overwrite?: boolean;
  readonly overwriteFiles?: boolean;
  readonly overwriteDirectories?: boolean;
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

/** Adds what says which entries are restored, and how. */
export function addExtractOptions(command: Command): Command {
  command
    .option("--pattern <pattern>", "restore what matches; repeatable", collect)
    .option("--files-from <file>", "file with one pattern a line");
  return addTargetOptions(command)
    .option("--prelude-target <file>", "write the archive's prelude to a file");
}

/** Adds what says how entries are restored. */
export function addTargetOptions(command: Command): Command {
  return command
    .option("--overwrite", "replace files and links by whatever comes")
    .option("--overwrite-files", "replace by files")
    .option("--overwrite-directories", "replace by directories")
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
    .option("--dry-run", "do everything but write")
    .option("-v, --verbose", "print each path")
    .addOption(new Option("--ignore-extract-device-errors").hideHelp());
}

/** What the options ask for. */
export function extractRequest(
  input: TreeInput,
  options: ExtractOptions,
): ExtractRequest {
  const { owner, permissions, xattrs, fcaps, acls, flags, deviceNodes, fifos, sockets } = options;
  const isReplacing = options.overwrite === true;
  return {
    input,
    patterns: options.pattern ?? [],
    filesFrom: options.filesFrom,
    preludeTarget: options.preludeTarget,
    isDryRun: options.dryRun === true,
    isStrict: options.strict === true,
    ignoresDeviceErrors: options.ignoreExtractDeviceErrors === true,
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
        byDirectories: isReplacing || options.overwriteDirectories === true,
      },
    },
  };
}
