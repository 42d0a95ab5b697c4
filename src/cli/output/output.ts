/**
 * The two ways of asking for a form of results: `--format` as everywhere in this program,
 * `--output-format` and its environment as with other tools for the same datastores.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { toRecord, UsageError } from "#src/errors.ts";
import type { CommandContext } from "../command.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { formatBoxTable } from "../terminal/box_table.ts";
import type { Column } from "../terminal/table.ts";

/**
 * Form of results: for people; one JSON document; the same on several lines; one JSON document a
 * line.
 */
export type OutputForm = "text" | "json" | "json-pretty" | "jsonl";

/** Values of {@link addFormatOptions}. */
export interface FormatChoice {
  readonly format?: "text" | "json" | "jsonl";
  readonly outputFormat?: "text" | "json" | "json-pretty";
}

/** Environment variables that {@link Output} obeys, for the help of commands. */
export const OUTPUT_ENVIRONMENT: Readonly<Record<string, string>> = {
  PROXMOX_OUTPUT_FORMAT: "text, json or json-pretty, where no option says it",
  PROXMOX_OUTPUT_NO_BORDER: "set: tables have no borders",
  PROXMOX_OUTPUT_NO_HEADER: "set: tables have no headings",
};

const OUTPUT_FORMATS = ["text", "json", "json-pretty"] as const;

/** The options by which the form of results is chosen. */
export function addFormatOptions(command: Command): Command {
  return command
    .addOption(
      new Option("--format <format>", "format of results and errors; jsonl is one object a line")
        .choices(["text", "json", "jsonl"]),
    )
    .addOption(
      new Option("--output-format <format>", "the same for scripts made for other tools")
        .choices(OUTPUT_FORMATS).conflicts("format"),
    );
}

/** A table of records: what is printed of each for people. */
export interface RecordTable<Item> {
  readonly columns: readonly Column[];
  row(item: Item): readonly string[];
}

/** Prints the results of a command in the form that was asked for. */
export class Output {
  readonly form: OutputForm;
  readonly #context: CommandContext;

  /** @throws {UsageError} when the environment asks for a form there is not */
  constructor(options: FormatChoice, context: CommandContext) {
    this.#context = context;
    this.form = options.format ?? options.outputFormat ?? formOfEnvironment(context);
  }

  /** Whether programs read the results. */
  get isJson(): boolean {
    return this.form !== "text";
  }

  /** Prints one result; `text` is what people see. */
  value(value: unknown, text: () => string): void {
    const { terminal } = this.#context;
    if (this.form === "text") terminal.out(text());
    else terminal.out(this.#stringify(value) + "\n");
  }

  /** Prints a list of results: an array, or one a line; `text` is what people see. */
  list(items: readonly unknown[], text: () => string): void {
    if (this.form === "jsonl") {
      this.#context.terminal.out(items.map((item) => JSON.stringify(item) + "\n").join(""));
    } else this.value(items, text);
  }

  /** Prints a list of results: a table, or as {@link list} does. */
  records<Item>(items: readonly Item[], table: RecordTable<Item>): void {
    this.list(items, () => this.table(table.columns, items.map((item) => table.row(item))));
  }

  /** A table as text, as the environment wants it. */
  table(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
    return this.#table(columns, rows, !isSet(this.#context, "PROXMOX_OUTPUT_NO_HEADER"));
  }

  /** A table without headings. */
  plainTable(columns: readonly Column[], rows: readonly (readonly string[])[]): string {
    return this.#table(columns, rows, false);
  }

  /**
   * Tells programs of something that happens: among the results for `jsonl`. In the one document of
   * the other forms all of it stands at the end, and people are told by other means.
   */
  event(event: { readonly type: string; readonly [name: string]: unknown }): void {
    if (this.form === "jsonl") this.#context.terminal.out(JSON.stringify(event) + "\n");
  }

  /** Tells programs what a command did that has nothing to say to people. */
  summary(fields: Readonly<Record<string, unknown>>): void {
    if (this.isJson) this.value({ type: "summary", ...fields }, () => "");
  }

  /** Tells on standard error that something is not as asked for; the rest goes on. */
  problem(path: string, error: unknown): void {
    const { code, message } = toRecord(error);
    const problem = { type: "problem", path, severity: "warning", code, message };
    this.#context.terminal.err(
      this.isJson ? JSON.stringify(problem) + "\n" : `warning: ${path}: ${showMessage(message)}\n`,
    );
  }

  /** Tells on standard error of something unusual. */
  warning(message: string): void {
    this.#context.terminal.err(
      this.isJson
        ? JSON.stringify({ type: "warning", message }) + "\n"
        : `warning: ${showMessage(message)}\n`,
    );
  }

  #table(
    columns: readonly Column[],
    rows: readonly (readonly string[])[],
    hasHeader: boolean,
  ): string {
    const hasBorder = !isSet(this.#context, "PROXMOX_OUTPUT_NO_BORDER");
    const widthMax = this.#context.terminal.columns;
    return formatBoxTable(columns, rows, { hasBorder, hasHeader, widthMax });
  }

  #stringify(value: unknown): string {
    return this.form === "json-pretty" ? JSON.stringify(value, null, 2) : JSON.stringify(value);
  }
}

function formOfEnvironment(context: CommandContext): OutputForm {
  const name = "PROXMOX_OUTPUT_FORMAT";
  const text = context.environment(name) ?? "text";
  const form = OUTPUT_FORMATS.find((candidate) => candidate === text);
  if (form !== undefined) return form;
  throw new UsageError(
    `Cannot use "${text}" of ${name}: allowed choices are ${OUTPUT_FORMATS.join(", ")}`,
    { option: name },
  );
}

function isSet(context: CommandContext, name: string): boolean {
  return context.environment(name) !== undefined;
}
