/**
 * Printing the names of everything in the archives of a snapshot.
 *
 * @module
 */

import type { SnapshotReader } from "#src/pbs/ports.ts";
import { BufferedOutput } from "../terminal/buffered_output.ts";
import { quoteName } from "#src/bytes/quoting.ts";
import type { Terminal } from "../terminal/terminal.ts";
import { type CatalogLine, namedEntries } from "#src/usecases/datastore/catalog_entries.ts";
import type { OutputForm } from "../output/output.ts";

/** Prints one line for each entry, or JSON. @throws {FormatError} */
export function dumpCatalog(snapshot: SnapshotReader, form: OutputForm, terminal: Terminal): void {
  using output = new BufferedOutput(terminal);
  const isArray = form === "json" || form === "json-pretty";
  let count = 0;
  for (const entry of namedEntries(snapshot)) {
    if (isArray) output.write(count === 0 ? "[\n" : ",\n");
    output.write(form === "text" ? formatEntry(entry) : JSON.stringify(entryFields(entry)));
    if (!isArray) output.write("\n");
    count++;
  }
  if (isArray) output.write(count === 0 ? "[]\n" : "\n]\n");
}

/** As the real client prints it: letter, path in quotation marks, size and time of files. */
function formatEntry({ letter, names, size, mtime }: CatalogLine): string {
  const path = quoteName(`./${names.join("/")}`);
  return size === undefined
    ? `${letter} ${path}`
    : `${letter} ${path} ${size} ${formatUtcTime(mtime!)}`;
}

function entryFields({ kind, names, size, mtime }: CatalogLine): Record<string, unknown> {
  const [archive, ...rest] = names;
  return {
    archive,
    path: `/${rest.join("/")}`,
    type: kind,
    size,
    mtime,
  };
}

function formatUtcTime(seconds: number): string {
  const time = new Date(seconds * 1000);
  return Number.isNaN(time.getTime()) ? `@${seconds}` : time.toISOString().replace(/\.\d+Z$/u, "Z");
}
