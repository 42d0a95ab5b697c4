/**
 * The search for entries of an archive.
 *
 * @module
 */

import { walkEntries } from "#src/transfer/walk.ts";
import type { EntryFormat } from "../exit_code.ts";
import type { Terminal } from "../terminal/terminal.ts";
import type { ArchiveInput } from "#src/usecases/archive/archive_input.ts";
import { EntryOutput } from "../output/entry_output.ts";
import {
  type EntryFilter,
  parseAge,
  parseNewer,
  parseOlder,
  parseSize,
  parseTypes,
} from "../options/find_filters.ts";
import type { FindOptions } from "../options/find_options.ts";
import { openArchiveAsTree, printableEntry } from "#src/usecases/archive/trees.ts";

/**
 * Prints the entries at or below `path` that are looked for.
 *
 * @throws {UsageError} for options that say nothing
 * @throws {StateError} `not-found`
 */
export function printFound(
  archive: ArchiveInput,
  path: string,
  options: FindOptions & { readonly format: EntryFormat },
  terminal: Terminal,
): void {
  const filter = makeFilter(options);
  using open = openArchiveAsTree(archive);
  const textForm = options.long === true ? "long" : "names";
  const form = options.format === "text" ? textForm : options.format;
  using output = new EntryOutput(terminal, form);
  const walk = walkEntries(open.tree, {
    from: path,
    onDamage: (path, damage) => output.damages.print(path, damage),
    glob: options.name,
    filter: (_path, entry) => filter(entry),
  });
  for (const step of walk) output.print(step.path, step.path, printableEntry(step.entry));
  output.damages.finish("searched");
}

function makeFilter(options: FindOptions): EntryFilter {
  const filters = [
    options.type === undefined ? undefined : parseTypes(options.type),
    options.size === undefined ? undefined : parseSize(options.size),
    options.mtime === undefined ? undefined : parseAge(options.mtime, Date.now()),
    options.newer === undefined ? undefined : parseNewer(options.newer),
    options.older === undefined ? undefined : parseOlder(options.older),
  ].filter((filter) => filter !== undefined);
  return (entry) => filters.every((filter) => filter(entry));
}
