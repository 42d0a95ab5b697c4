/**
 * In which form commands on sources print: for people, as one JSON document, as one JSON object a
 * line.
 *
 * @module
 */

import { type Command, Option } from "commander";
import type { CommandContext } from "../command.ts";
import { Output } from "../output/output.ts";

/** Values of {@link addRecordFormat}. */
export interface RecordFormat {
  readonly format: "text" | "json" | "jsonl";
}

/** Adds the option. */
export function addRecordFormat(command: Command): Command {
  return command.addOption(
    new Option("--format <format>", "format of results and errors; jsonl is one object a line")
      .choices(["text", "json", "jsonl"]).default("text"),
  );
}

/** Where results go. */
export function recordOutput({ format }: RecordFormat, context: CommandContext): Output {
  return new Output(format === "json" ? { outputFormat: "json-pretty" } : { format }, context);
}
