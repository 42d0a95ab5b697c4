/**
 * Printing what differs between two trees.
 *
 * @module
 */

import type { Difference } from "#src/transfer/diff.ts";
import { BufferedOutput } from "../terminal/buffered_output.ts";
import type { EntryFormat } from "../exit_code.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { entryRecord, typeName } from "#src/usecases/archive/entry_record.ts";
import { quoteName } from "#src/bytes/quoting.ts";
import { entryFactsOf } from "#src/tree/entry_facts.ts";

/**
 * Prints differences as lines, as one JSON array or as one JSON object a line. Must be disposed of.
 */
export class DifferenceOutput implements Disposable {
  readonly #output: BufferedOutput;
  readonly #format: EntryFormat;
  #count = 0;

  constructor(terminal: Terminal, format: EntryFormat) {
    this.#output = new BufferedOutput(terminal);
    this.#format = format;
  }

  /** Number of differences printed. */
  get count(): number {
    return this.#count;
  }

  /** Prints one. */
  print(difference: Difference): void {
    this.#output.write(this.#text(difference));
    this.#count++;
  }

  #text(difference: Difference): string {
    switch (this.#format) {
      case "text":
        return `${toText(difference)}\n`;
      case "json":
        return (this.#count === 0 ? "[\n" : ",\n") + JSON.stringify(toJson(difference));
      case "jsonl":
        return `${JSON.stringify(toJson(difference))}\n`;
    }
  }

  [Symbol.dispose](): void {
    if (this.#format === "json") this.#output.write(this.#count === 0 ? "[]\n" : "\n]\n");
    this.#output[Symbol.dispose]();
  }
}

/** `-` only in the first, `+` only in the second, `T` another type, `M` changed, with what has. */
function toText(difference: Difference): string {
  const path = quoteName(difference.path);
  switch (difference.type) {
    case "left-only":
      return `- ${path}`;
    case "right-only":
      return `+ ${path}`;
    case "type": {
      const types = [difference.left, difference.right].map(entryFactsOf).map(typeName);
      return `T ${path} ${types.join(" -> ")}`;
    }
    case "changed":
      return `M ${path} ${changes(difference).join(",")}`;
  }
}

function toJson(difference: Difference): Record<string, unknown> {
  const { type, path } = difference;
  switch (difference.type) {
    case "left-only":
    case "right-only":
      return { type, path, entry: entryRecord(path, entryFactsOf(difference.entry)) };
    default:
      return {
        type,
        path,
        changes: difference.type === "changed" ? changes(difference) : undefined,
        left: entryRecord(path, entryFactsOf(difference.left)),
        right: entryRecord(path, entryFactsOf(difference.right)),
      };
  }
}

function changes(difference: Extract<Difference, { type: "changed" }>): string[] {
  return [...difference.fields, ...(difference.isContentChanged ? ["content"] : [])];
}
