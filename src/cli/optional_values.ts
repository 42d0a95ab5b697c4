/**
 * Options that may have a value: it is theirs only behind `=`, as in other programs.
 *
 * @module
 */

import type { Command } from "commander";

/**
 * The words of a command line with such options that have no value behind all others: in front of a
 * word they would take it for theirs.
 */
export function withoutForeignValues(words: readonly string[], command: Command): string[] {
  const optional = new Set(
    command.options
      // Any bracket makes one optional for the library: that of `<user[:group]>`, too.
      .filter(({ optional, required }) => optional && !required)
      .map(({ long }) => long),
  );
  const separator = words.indexOf("--");
  const end = separator < 0 ? words.length : separator;
  const options = words.slice(0, end);
  const isBare = (word: string) => optional.has(word);
  return [
    ...options.filter((word) => !isBare(word)),
    ...options.filter(isBare),
    ...words.slice(end),
  ];
}
