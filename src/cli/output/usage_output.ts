/**
 * Printing how much there is below directories.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { showName } from "#src/bytes/quoting.ts";
import type { Usage } from "#src/usecases/archive/usage.ts";
import type { EntryFormat } from "../exit_code.ts";
import { BufferedOutput } from "../terminal/buffered_output.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { DamageOutput } from "./damage_output.ts";

const KIB = 1024;

/** How sums are printed. */
export interface UsageForm {
  readonly format: EntryFormat;
  /** Of the numbers for people. */
  readonly unit: "KiB" | "B" | "human";
  /** Holes count for people; programs get both numbers. */
  readonly isApparent: boolean;
}

/** Prints sums: a number, a tab and a path, or JSON. Must be disposed of. */
export class UsageOutput implements Disposable {
  /** What cannot be read, and so is not counted. */
  readonly damages: DamageOutput;
  readonly #output: BufferedOutput;
  readonly #form: UsageForm;
  readonly #isTerminal: boolean;
  #count = 0;

  constructor(terminal: Terminal, form: UsageForm) {
    this.damages = new DamageOutput(terminal, form.format);
    this.#output = new BufferedOutput(terminal);
    this.#form = form;
    this.#isTerminal = terminal.isTerminal;
  }

  /** Prints one. */
  print(usage: Usage): void {
    const { format } = this.#form;
    if (format === "text") this.#output.write(this.#text(usage));
    else if (format === "jsonl") this.#output.write(`${JSON.stringify(record(usage))}\n`);
    else this.#output.write((this.#count === 0 ? "[\n" : ",\n") + JSON.stringify(record(usage)));
    this.#count++;
  }

  #text({ path, sizeBytes, dataBytes }: Usage): string {
    const { unit, isApparent } = this.#form;
    const bytes = isApparent ? sizeBytes : dataBytes;
    const number = unit === "human"
      ? formatHumanBytes(bytes)
      : String(unit === "B" ? bytes : Math.ceil(bytes / KIB));
    return `${number}\t${this.#isTerminal ? showName(path) : path}\n`;
  }

  [Symbol.dispose](): void {
    if (this.#form.format === "json") this.#output.write(this.#count === 0 ? "[]\n" : "\n]\n");
    this.#output[Symbol.dispose]();
  }
}

function record({ path, sizeBytes, dataBytes, entryCount }: Usage): Record<string, unknown> {
  return { path, size: sizeBytes, data: dataBytes, entries: entryCount };
}
