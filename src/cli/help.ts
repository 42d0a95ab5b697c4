/**
 * The parts of `--help` that every command has below its options.
 *
 * @module
 */

import { type Command, Help } from "commander";
import { wrapCommandLine, wrapText } from "./terminal/wrapping.ts";

/** What the help of a command shows beside its options. */
export interface HelpNotes {
  readonly examples: readonly { readonly text: string; readonly line: string }[];
  /** Environment variables the command reads. */
  readonly environment?: Readonly<Record<string, string>> | undefined;
  /** What is particular in its exit codes; the general ones are always shown. */
  readonly exitStatus?: Readonly<Record<number, string>>;
}

const EXIT_STATUS: Readonly<Record<number, string>> = {
  0: "Success.",
  1: "Failure; the reason is on standard error.",
  2: "Wrong usage: unknown command or option, missing or wrong value.",
};

const INDENT = "  ";

/** Texts beside names are not made narrower than this. */
const TEXT_WIDTH_MIN = 20;

/** Appends examples, environment and exit status to the help of a command. */
export function addHelpNotes(command: Command, notes: HelpNotes): Command {
  return command.addHelpText("after", () => {
    const width = (command.configureOutput().getOutHelpWidth?.() ?? Infinity) - INDENT.length;
    const sections = [section("EXAMPLES", exampleLines(notes.examples, width))];
    if (notes.environment !== undefined) {
      sections.push(section("ENVIRONMENT", tableLines(notes.environment, width)));
    }
    const exitStatus = { ...EXIT_STATUS, ...notes.exitStatus };
    sections.push(section("EXIT STATUS", tableLines(exitStatus, width)));
    return "\n" + sections.join("\n\n");
  });
}

const USAGE = "Usage: ";

/** What stands behind `Usage:`. */
export function formatHelpUsage(this: Help, command: Command): string {
  const usage = Help.prototype.commandUsage.call(this, command);
  const lines = wrapText(usage, (this.helpWidth ?? Infinity) - USAGE.length);
  return lines.join("\n" + " ".repeat(USAGE.length));
}

/**
 * An option, argument or command and what it is: beside each other where there is room, else below
 * each other.
 */
export function formatHelpItem(
  term: string,
  termWidth: number,
  description: string,
  helper: Help,
): string {
  const width = helper.helpWidth ?? Infinity;
  const textWidth = width - termWidth - 2 * INDENT.length;
  if (textWidth >= TEXT_WIDTH_MIN) {
    const lines = wrapText(description, textWidth);
    return lines.map((line, index) =>
      (INDENT + (index === 0 ? term : "").padEnd(termWidth) + INDENT + line).trimEnd()
    ).join("\n");
  }
  const [first, ...rest] = wrapText(term, width - INDENT.length);
  const below = [...rest, ...wrapText(description, width - 3 * INDENT.length)];
  return [INDENT + first!, ...below.map((line) => (INDENT.repeat(3) + line).trimEnd())].join("\n");
}

function section(title: string, lines: readonly string[]): string {
  return [`${title}:`, ...lines.map((line) => INDENT + line)].join("\n");
}

function exampleLines(examples: HelpNotes["examples"], width: number): string[] {
  return examples.flatMap(({ text, line }, index) => [
    ...(index === 0 ? [] : [""]),
    ...wrapText(`${text}:`, width),
    ...wrapCommandLine(line, width - INDENT.length).map((part) => INDENT + part),
  ]);
}

function tableLines(rows: Readonly<Record<string, string>>, width: number): string[] {
  const keyWidth = Math.max(...Object.keys(rows).map((key) => key.length));
  const textWidth = Math.max(width - keyWidth - INDENT.length, TEXT_WIDTH_MIN);
  return Object.entries(rows).flatMap(([key, text]) =>
    wrapText(text, textWidth).map((part, index) =>
      (index === 0 ? key : "").padEnd(keyWidth) + INDENT + part
    )
  );
}
