/**
 * The parts of `--help` that every command has below its options.
 *
 * @module
 */

import type { Command } from "commander";

/** What the help of a command shows beside its options. */
export interface HelpNotes {
  readonly examples: readonly { readonly text: string; readonly line: string }[];
  /** Environment variables the command reads. */
  readonly environment?: Readonly<Record<string, string>>;
  /** What is particular in its exit codes; the general ones are always shown. */
  readonly exitStatus?: Readonly<Record<number, string>>;
}

const EXIT_STATUS: Readonly<Record<number, string>> = {
  0: "Success.",
  1: "Failure; the reason is on standard error.",
  2: "Wrong usage: unknown command or option, missing or wrong value.",
};

/** Appends examples, environment and exit status to the help of a command. */
export function addHelpNotes(command: Command, notes: HelpNotes): Command {
  const sections = [section("EXAMPLES", exampleLines(notes.examples))];
  if (notes.environment !== undefined) {
    sections.push(section("ENVIRONMENT", tableLines(notes.environment)));
  }
  sections.push(section("EXIT STATUS", tableLines({ ...EXIT_STATUS, ...notes.exitStatus })));
  return command.addHelpText("after", "\n" + sections.join("\n\n"));
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines.map((line) => `  ${line}`)].join("\n");
}

function exampleLines(examples: HelpNotes["examples"]): string[] {
  return examples.flatMap(({ text, line }, index) => [
    ...(index === 0 ? [] : [""]),
    `${text}:`,
    `  ${line}`,
  ]);
}

function tableLines(rows: Readonly<Record<string, string>>): string[] {
  const width = Math.max(...Object.keys(rows).map((key) => key.length));
  return Object.entries(rows).map(([key, text]) => `${key.padEnd(width)}  ${text}`);
}
