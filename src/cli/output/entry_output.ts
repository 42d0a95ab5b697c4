/**
 * Printing entries one after another, in the form that was asked for.
 *
 * @module
 */

import type { ShownEntry } from "#src/usecases/archive/shown_entry.ts";
import { BufferedOutput } from "../terminal/buffered_output.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { DamageOutput } from "./damage_output.ts";
import { entryRecord } from "#src/usecases/archive/entry_record.ts";
import { formatLongEntry } from "./entry_text.ts";
import { quoteName, showName } from "#src/bytes/quoting.ts";

/**
 * How entries are printed: names as they are, paths in quotation marks, the long form, one JSON
 * array, or one JSON object a line.
 */
export type EntryForm = "names" | "quoted" | "long" | "json" | "jsonl";

/** Prints entries. Must be disposed of: a JSON array has an end. */
export class EntryOutput implements Disposable {
  /** What cannot be read of that which is to be printed. */
  readonly damages: DamageOutput;
  readonly #output: BufferedOutput;
  readonly #form: EntryForm;
  readonly #isTerminal: boolean;
  #count = 0;

  constructor(terminal: Terminal, form: EntryForm) {
    this.#output = new BufferedOutput(terminal);
    this.#form = form;
    this.#isTerminal = terminal.isTerminal;
    this.damages = new DamageOutput(terminal, form.startsWith("json") ? "json" : "text");
  }

  /** Prints one entry; `name` is what the form `names` shows of it. */
  print(path: string, name: string, entry: ShownEntry): void {
    this.printText(this.text(path, name, entry));
  }

  /** Prints what {@link text} made. */
  printText(text: string): void {
    if (this.#form === "json") this.#output.write(this.#count === 0 ? "[\n" : ",\n");
    this.#output.write(text);
    this.#count++;
  }

  /** What {@link print} prints, for who has to wait: it takes less memory than an entry. */
  text(path: string, name: string, entry: ShownEntry): string {
    switch (this.#form) {
      case "names":
        // A terminal would do what a name tells it to do.
        return `${this.#isTerminal ? showName(name) : name}\n`;
      case "quoted":
        return `${quoteName(path)}\n`;
      case "long":
        return `${formatLongEntry(path, entry)}\n`;
      case "json":
        return JSON.stringify(entryRecord(path, entry));
      case "jsonl":
        return `${JSON.stringify(entryRecord(path, entry))}\n`;
    }
  }

  [Symbol.dispose](): void {
    if (this.#form === "json") this.#output.write(this.#count === 0 ? "[]\n" : "\n]\n");
    this.#output[Symbol.dispose]();
  }
}
