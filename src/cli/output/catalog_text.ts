/**
 * A catalog as text for people.
 *
 * @module
 */

import type {
  BackupDescription,
  CatalogDescription,
  InstanceDescription,
} from "#src/pgprobackup/describe.ts";
import { formatCatalogBytes } from "#src/bytes/byte_sizes.ts";
import { type Column, formatTable } from "../terminal/table.ts";
import { wrapText } from "../terminal/wrapping.ts";

interface CatalogColumn extends Column {
  readonly cell: (backup: BackupDescription) => string;
  /** Left out where the terminal is too narrow: the higher, the earlier. */
  readonly sacrifice?: number;
}

/** Stands in the lines that draw a chain while the table is made: they must not be broken. */
const UNBROKEN_BLANK = "\u00a0";

const COLUMNS: readonly CatalogColumn[] = [
  {
    title: "ID",
    cell: (backup) => backup.branch.replaceAll(" ", UNBROKEN_BLANK) + backup.id,
  },
  {
    title: "Recovery time",
    cell: (backup) => formatIsoTime(backup.recovery_time ?? backup.end_time),
  },
  { title: "Mode", cell: (backup) => backup.mode ?? "-" },
  { title: "WAL mode", cell: (backup) => formatWalMode(backup.stream), sacrifice: 1 },
  { title: "Version", cell: (backup) => backup.server_version ?? "-", sacrifice: 4 },
  { title: "Data", align: "right", cell: (backup) => formatSize(backup.data_bytes) },
  { title: "WAL", align: "right", cell: (backup) => formatSize(backup.wal_bytes), sacrifice: 3 },
  {
    title: "Cluster",
    align: "right",
    cell: (backup) => formatSize(backup.pgdata_bytes),
    sacrifice: 2,
  },
  { title: "Compression", cell: formatCompression, sacrifice: 5 },
  { title: "Tablespaces", cell: (backup) => String(backup.tablespaces.length), sacrifice: 6 },
  { title: "Status", cell: (backup) => backup.status },
  { title: "Mountable", cell: formatMountable },
];

/**
 * Formats a catalog: a table for each instance, each backup below its parent.
 *
 * @param widthMax columns of the terminal: what does not fit is left out, the least needed first;
 *   undefined where nobody looks
 */
export function formatCatalog(catalog: CatalogDescription, widthMax = Infinity): string {
  if (catalog.instances.length === 0) return `No instances in "${catalog.store}"\n`;
  return catalog.instances.map((each) => formatInstance(each, widthMax)).join("\n");
}

function formatInstance(instance: InstanceDescription, widthMax: number): string {
  const origin = instance.pgdata === undefined ? "" : ` (${escapeControls(instance.pgdata)})`;
  const lines = [`Instance ${escapeControls(instance.name)}${origin}\n`];
  if (instance.problem !== undefined) lines.push(`Problem: ${escapeControls(instance.problem)}\n`);
  if (instance.backups.length === 0) {
    if (instance.unreadable !== true) lines.push("No backups\n");
  } else {
    lines.push(formatBackups(instance.backups, widthMax));
    lines.push(...instance.backups.flatMap(formatRemarks));
  }
  return lines.join("");
}

function formatBackups(backups: readonly BackupDescription[], widthMax: number): string {
  let columns = COLUMNS;
  while (true) {
    const rows = backups.map((backup) => columns.map(({ cell }) => escapeControls(cell(backup))));
    const table = formatTable(columns, rows);
    const width = Math.max(...table.split("\n").map(({ length }) => length));
    const leastNeeded = Math.max(...columns.map(({ sacrifice = 0 }) => sacrifice));
    if (width > widthMax && leastNeeded > 0) {
      columns = columns.filter(({ sacrifice }) => sacrifice !== leastNeeded);
      continue;
    }
    const hidden = COLUMNS.filter((column) => !columns.includes(column)).map(({ title }) => title);
    const note = `Not shown in this width: ${hidden.join(", ")}`;
    return formatTable(columns, rows, widthMax).replaceAll(UNBROKEN_BLANK, " ") +
      (hidden.length === 0 ? "" : wrapText(note, widthMax).join("\n") + "\n");
  }
}

/** What few backups have, and what would make the table wide for all. */
function formatRemarks({ id, expire_time: expiry, note }: BackupDescription): string[] {
  return [
    ...(expiry === undefined ? [] : [`${id} is kept until ${formatIsoTime(expiry)}\n`]),
    ...(note === undefined ? [] : [`${id} note: ${escapeControls(note)}\n`]),
  ];
}

/** ISO time without fractions: `2026-11-21 02:03:58Z`. */
function formatIsoTime(time: string | undefined): string {
  return time?.replace("T", " ").replace(/\.\d+Z$/u, "Z") ?? "-";
}

function formatWalMode(isStream: boolean | undefined): string {
  if (isStream === undefined) return "-";
  return isStream ? "STREAM" : "ARCHIVE";
}

function formatSize(bytes: number | undefined): string {
  return bytes === undefined ? "-" : formatCatalogBytes(bytes);
}

/** The backup's own algorithm, and the files that are stored by others. */
function formatCompression(backup: BackupDescription): string {
  const names = new Set(Object.keys(backup.compression_mix ?? {}));
  if (backup.compress_algorithm !== undefined) names.add(backup.compress_algorithm);
  return names.size === 0 ? "-" : [...names].join("+");
}

function formatMountable(backup: BackupDescription): string {
  if (backup.mountable) return "yes";
  const how = backup.mountable_with_force ? "with --force" : "no";
  return backup.reason === undefined ? how : `${how}: ${backup.reason}`;
}

/** What a catalog says must not steer the terminal. */
function escapeControls(text: string): string {
  return text.replace(/\p{Cc}/gu, (character) => JSON.stringify(character).slice(1, -1));
}
