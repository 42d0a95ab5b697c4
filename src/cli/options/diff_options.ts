/**
 * The options of commands that compare trees.
 *
 * @module
 */

import type { Command } from "commander";
import { collect } from "./archive_options.ts";

/** Values of {@link addDiffOptions}. */
export interface ComparisonOptions {
  readonly ignore?: readonly string[];
  /** False with `--no-contents`. */
  readonly contents: boolean;
}

/** Adds what says how trees are compared. */
export function addDiffOptions(command: Command): Command {
  return command
    .option("--ignore <fields>", "do not compare mode, uid, gid, mtime, …; repeatable", collect)
    .option("--no-contents", "do not read files of equal size");
}
