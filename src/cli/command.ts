/**
 * What a command is: a commander object that describes it, which help, completion and man pages are
 * made from, and a function that runs it.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import type { OutputFormat } from "./exit_code.ts";
import type { Uses } from "./permissions.ts";
import type { Terminal } from "./terminal/terminal.ts";

/** What a running command may use of the world. */
export interface CommandContext {
  readonly terminal: Terminal;
  /** The value of an environment variable, or undefined when it is unset or may not be read. */
  environment(name: string): string | undefined;
  /** The description of the whole command line. */
  readonly program: Command;
  /** The arguments of this run of the program, for a background worker that does the same. */
  readonly args: readonly string[];
}

/** One command. `Options` is what commander makes of its flags. */
export interface CommandModule<Options> {
  /** What it uses of the runtime's permissions; it runs without the others. */
  readonly uses: Uses;
  /** The description; cheap, since `--version` builds all of them. */
  describe(): Command;
  /** @returns the exit code @throws a `Failure` */
  run(options: Options, context: CommandContext): Promise<number>;
  /**
   * The exit code of all failures, a wrong command line among them, for a command whose caller
   * takes the usual codes for an answer.
   */
  readonly failureCode?: number;
  /** Commands below its word, about what it needs. */
  readonly groups?: readonly CommandGroup[];
}

/** Commands under a common first word; that of a group inside of a group comes second. */
export interface CommandGroup {
  /** The word. */
  readonly name: string;
  /** The description, without the commands. */
  describe(): Command;
  readonly commands: readonly CommandModule<never>[];
  readonly groups?: readonly CommandGroup[];
}

/**
 * A group that is a first word itself, and a program of its own when the executable is called by
 * its name.
 */
export interface ProgramGroup extends CommandGroup {
  /** Rewrites the arguments behind the word, where they follow the habits of other tools. */
  normalize(args: readonly string[], commands: readonly Command[]): string[];
}

/** The `--format` option; `choices` are the formats of the command's results and errors. */
export function formatOption(): Option {
  return new Option("--format <format>", "format of results and errors").choices(["text", "json"])
    .default("text");
}

/** The options by which all commands name the backup store. */
export function addCatalogOptions(command: Command): Command {
  return command
    .option("-B, --pbk-store <path>", "backup catalog; else the value of BACKUP_PATH")
    .addOption(new Option("--backup-path <path>", "same as --pbk-store").hideHelp());
}

/** Values of {@link addCatalogOptions}. */
export interface CatalogOptions {
  readonly pbkStore?: string;
  readonly backupPath?: string;
}

/** Values of {@link formatOption}. */
export interface FormatOptions {
  readonly format: OutputFormat;
}

/** The backup store of the command line or the environment; undefined when neither names one. */
export function findStorePath(
  options: CatalogOptions,
  context: CommandContext,
): string | undefined {
  const path = options.pbkStore ?? options.backupPath ?? context.environment("BACKUP_PATH");
  return path === "" ? undefined : path;
}

/**
 * The backup store of the command line or the environment. @throws {UsageError} when neither names
 * one
 */
export function storePath(options: CatalogOptions, context: CommandContext): string {
  return required(
    findStorePath(options, context),
    "-B/--pbk-store",
    "Give the directory that pg_probackup keeps backups in, here or in BACKUP_PATH",
  );
}

/**
 * A value that must be there.
 *
 * @param flags how help names its option: `-D/--mnt-path`
 * @param hint what it is
 * @throws {UsageError} `<flags> is required`
 */
export function required(value: string | undefined, flags: string, hint: string): string {
  if (value !== undefined && value !== "") return value;
  throw new UsageError(`${flags} is required`, { option: flags.replace(/^.*\//u, ""), hint });
}

/** A whole number in a range. @throws {UsageError} */
export function wholeNumber(text: string, flag: string, min: number, max: number): number {
  const value = Number(text);
  if (/^\d+$/u.test(text) && value >= min && value <= max) return value;
  throw new UsageError(
    `Cannot use "${text}" for ${flag}: it is not a whole number from ${min} to ${max}`,
    { option: flag },
  );
}
