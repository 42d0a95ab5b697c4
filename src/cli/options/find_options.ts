/**
 * The options of commands that look for entries.
 *
 * @module
 */

import type { Command } from "commander";

/** Values of {@link addFindOptions}. */
export interface FindOptions {
  readonly name?: string;
  readonly type?: string;
  readonly size?: string;
  readonly mtime?: string;
  readonly newer?: string;
  readonly older?: string;
  readonly long?: boolean;
}

/** Adds what says which entries are looked for. */
export function addFindOptions(command: Command): Command {
  return command
    .option("-n, --name <glob>", "*.conf at every depth, /etc/** from the root on")
    .option("-t, --type <letters>", "f, d, l, b, c, p, s; several together")
    .option("-s, --size <size>", "+1M more than, -1k less than, 13 exactly")
    .option("--mtime <days>", "+7 changed more than 7 days ago, -7 less")
    .option("--newer <time>", "changed at this time or after it")
    .option("--older <time>", "changed before this time")
    .option("-l, --long", "mode, owner, time and size too");
}
