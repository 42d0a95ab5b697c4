/**
 * What a source is, for people.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { parseSourceName } from "#src/sources/name.ts";
import type { PostgresFacts, SourceSummary } from "#src/sources/source.ts";
import { type Column, formatTable } from "../terminal/table.ts";

const LABEL_WIDTH = 10;

/** Formats a summary as lines with labels. */
export function formatSummary(summary: SourceSummary): string {
  const { name, kind, content, time, sizeBytes, postgres, chain, mountable, why } = summary;
  const lines: readonly (readonly [label: string, value: string | undefined])[] = [
    ["Name", name],
    ["Kind", content === "tree" ? kind : `${kind}, ${content}`],
    ["Time", time ?? undefined],
    ["Size", sizeBytes === null ? undefined : formatHumanBytes(sizeBytes)],
    ["PostgreSQL", postgres === null ? undefined : postgresText(postgres)],
    ["Chain", chain.length === 0 ? undefined : chain.join(" → ")],
    ["Mountable", mountable ? "yes" : "no"],
    ["Why", why ?? undefined],
  ];
  return lines.filter(([, value]) => value !== undefined)
    .map(([label, value]) => `${label.padStart(LABEL_WIDTH)}: ${showMessage(value!)}\n`).join("");
}

const COLUMNS: readonly Column[] = [
  { title: "Name" },
  { title: "Time" },
  { title: "Size", align: "right" },
  { title: "PostgreSQL" },
  { title: "Mountable" },
];

/** Formats summaries as a table; without their places, which are all the same. */
export function formatSummaries(
  list: readonly SourceSummary[],
  widthMax: number | undefined,
): string {
  if (list.length === 0) return "There is none\n";
  const rows = list.map(({ name, time, sizeBytes, postgres, mountable, why }) => [
    showMessage(parseSourceName(name).item ?? name),
    time ?? "",
    sizeBytes === null ? "" : formatHumanBytes(sizeBytes),
    postgres?.version ?? "",
    showMessage(mountable ? "yes" : `no: ${why}`),
  ]);
  return formatTable(COLUMNS, rows, widthMax);
}

function postgresText(facts: PostgresFacts): string {
  const { version, systemIdentifier, checksums, timeline } = facts;
  return [
    version,
    `timeline ${timeline}`,
    `page checksums ${checksums ? "on" : "off"}`,
    ...systemIdentifier === null ? [] : [`system identifier ${systemIdentifier}`],
  ].join(", ");
}
