/**
 * The options of commands that archive directories.
 *
 * @module
 */

import { type Command, Option } from "commander";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import { wholeNumber } from "../command.ts";
import { collect } from "./archive_options.ts";

/** Values of {@link addCreateOptions}. */
export interface ArchiveCreateOptions {
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
  readonly errorOnIncomplete?: boolean;
}

/** Adds what says which files are archived, and what of them. */
export function addCreateOptions(command: Command): Command {
  command
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
    .option("--skip-e2big-xattr", "leave out attributes that are too big instead of failing")
    .option(
      "--error-on-incomplete",
      "stop at the first entry that cannot be read, and keep nothing",
    );
  // Known to users of another tool, where they have no effect here either.
  for (const name of ["device-nodes", "fifos", "sockets"]) {
    command.addOption(new Option(`--no-${name}`).hideHelp());
  }
  return command;
}

/** What the options ask for. @throws {UsageError} */
export function buildOptions(options: ArchiveCreateOptions): BuildOptions {
  const entriesMax = options.entriesMax === undefined
    ? undefined
    : wholeNumber(options.entriesMax, "--entries-max", 1, Number.MAX_SAFE_INTEGER);
  return {
    exclude: options.exclude ?? [],
    includeDevices: options.includeDev ?? [],
    allFileSystems: options.allFileSystems === true,
    entriesMax,
    xattrs: options.xattrs,
    fcaps: options.xattrs && options.fcaps,
    acls: options.xattrs && options.acls,
    skipLostAndFound: options.skipLostAndFound === true,
    isStrict: options.errorOnIncomplete === true,
    skipsLargeXattrs: options.skipE2bigXattr === true,
  };
}
