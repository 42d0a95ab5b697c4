/**
 * Options that several commands on archives have.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import type { OutputFormat } from "../exit_code.ts";
import type { ArchiveFormat, OutputRequest } from "#src/usecases/archive/output_files.ts";

/** Values of {@link addPayloadOption}. */
export interface PayloadOptions {
  readonly payload?: string;
  readonly payloadInput?: string;
}

/** The option that names the payload stream of a split archive. */
export function addPayloadOption(command: Command): Command {
  return command
    .option("--payload <file>", "payload stream; default for NAME.mpxar is NAME.ppxar")
    .addOption(new Option("--payload-input <file>", "same as --payload").hideHelp());
}

/** The payload stream that was asked for. */
export function payloadOf(options: PayloadOptions): string | undefined {
  return options.payload ?? options.payloadInput;
}

/** Gathers the values of an option that may be given several times. */
export function collect(value: string, former: readonly string[] = []): string[] {
  return [...former, value];
}

/** Values of {@link addOutputOptions}. */
export interface OutputOptions {
  readonly payloadOutput?: string;
  readonly overwrite?: boolean;
  readonly dryRun?: boolean;
  readonly format: ArchiveFormatChoice;
}

/** What `--format` of a command that writes archives asks for. */
export interface ArchiveFormatChoice {
  readonly archive?: ArchiveFormat;
  readonly report: OutputFormat;
}

const NO_CHOICE: ArchiveFormatChoice = { report: "text" };

/** The options of commands that write archives. */
export function addOutputOptions(command: Command): Command {
  return command
    .option("--payload-output <file>", "payload stream; makes a split archive")
    .option("--overwrite", "replace files that are there already")
    .option("--dry-run", "do everything but write")
    .addOption(
      new Option(
        "--format <format>",
        "v1 or v2: format of the archive, default is by its name; text or json: of results and errors",
      ).default(NO_CHOICE, "text").argParser(chooseFormat),
    );
}

/** Takes `--format` once for the archive and once for the report. @throws {UsageError} */
function chooseFormat(value: string, former: ArchiveFormatChoice): ArchiveFormatChoice {
  if (value === "v1" || value === "v2") return { ...former, archive: value };
  if (value === "text" || value === "json") return { ...former, report: value };
  throw new UsageError(
    `Cannot use "${value}" for --format: allowed choices are v1, v2, text, json`,
    { option: "--format" },
  );
}

/** Where an archive goes. */
export function outputRequest(path: string, options: OutputOptions): OutputRequest {
  return {
    path,
    format: options.format.archive,
    payloadPath: options.payloadOutput,
    isReplacing: options.overwrite === true,
    isDryRun: options.dryRun === true,
  };
}
