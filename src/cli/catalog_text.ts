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
import { type Column, formatSize, formatTable } from "./table.ts";

const COLUMNS: readonly (Column & { readonly cell: (backup: BackupDescription) => string })[] = [
  { title: "ID", cell: (backup) => backup.branch + backup.id },
  { title: "Recovery time", cell: (backup) => formatTime(backup.recovery_time ?? backup.end_time) },
  { title: "Mode", cell: (backup) => backup.mode ?? "-" },
  { title: "WAL mode", cell: (backup) => formatWalMode(backup.stream) },
  { title: "Version", cell: (backup) => backup.server_version ?? "-" },
  { title: "Data", align: "right", cell: (backup) => formatBytes(backup.data_bytes) },
  { title: "WAL", align: "right", cell: (backup) => formatBytes(backup.wal_bytes) },
  { title: "Cluster", align: "right", cell: (backup) => formatBytes(backup.pgdata_bytes) },
  { title: "Compression", cell: formatCompression },
  { title: "Tablespaces", cell: (backup) => String(backup.tablespaces.length) },
  { title: "Status", cell: (backup) => backup.status },
  { title: "Mountable", cell: formatMountable },
];

/** Formats a catalog: a table for each instance, each backup below its parent. */
export function formatCatalog(catalog: CatalogDescription): string {
  if (catalog.instances.length === 0) return `No instances in "${catalog.store}"\n`;
  return catalog.instances.map(formatInstance).join("\n");
}

function formatInstance(instance: InstanceDescription): string {
  const origin = instance.pgdata === undefined ? "" : ` (${escapeControls(instance.pgdata)})`;
  const lines = [`Instance ${escapeControls(instance.name)}${origin}\n`];
  if (instance.problem !== undefined) lines.push(`Problem: ${escapeControls(instance.problem)}\n`);
  if (instance.backups.length === 0) {
    if (instance.unreadable !== true) lines.push("No backups\n");
  } else {
    const rows = instance.backups.map((backup) =>
      COLUMNS.map(({ cell }) => escapeControls(cell(backup)))
    );
    lines.push(formatTable(COLUMNS, rows), ...instance.backups.flatMap(formatRemarks));
  }
  return lines.join("");
}

/** What few backups have, and what would make the table wide for all. */
function formatRemarks({ id, expire_time: expiry, note }: BackupDescription): string[] {
  return [
    ...(expiry === undefined ? [] : [`${id} is kept until ${formatTime(expiry)}\n`]),
    ...(note === undefined ? [] : [`${id} note: ${escapeControls(note)}\n`]),
  ];
}

/** ISO time without fractions: `2026-11-21 02:03:58Z`. */
function formatTime(time: string | undefined): string {
  return time?.replace("T", " ").replace(/\.\d+Z$/u, "Z") ?? "-";
}

function formatWalMode(isStream: boolean | undefined): string {
  if (isStream === undefined) return "-";
  return isStream ? "STREAM" : "ARCHIVE";
}

function formatBytes(bytes: number | undefined): string {
  return bytes === undefined ? "-" : formatSize(bytes);
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
