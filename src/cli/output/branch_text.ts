/**
 * Diff directories and their branches, for people.
 *
 * @module
 */

import { formatHumanBytes } from "#src/bytes/byte_sizes.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import type { DiffRecord, DiffState } from "#src/usecases/branches/branch_tree.ts";
import { formatTable } from "../terminal/table.ts";

const STATES: Readonly<Record<DiffState, string>> = {
  "mounted": "mounted",
  "read": "in use",
  "clean": "clean",
  "unclean": "not unmounted cleanly",
  "no-wal-used": "WAL lost",
  "damaged": "record damaged",
  "missing": "not there",
};

const COLUMNS = [
  { title: "BRANCH" },
  { title: "OF" },
  { title: "STATE" },
  { title: "SIZE", align: "right" },
  { title: "CREATED" },
  { title: "LAST USED" },
] as const;

/** Formats branches as a table; nothing where there are none. */
export function formatBranchTable(records: readonly DiffRecord[], widthMax: number | undefined) {
  if (records.length === 0) return "";
  const rows = records.map((record) => [
    showMessage(record.path),
    showMessage(record.parent ?? ""),
    stateText(record),
    sizeText(record),
    record.createdAt ?? "",
    record.lastUsedAt ?? "",
  ]);
  return formatTable(COLUMNS, rows, widthMax);
}

/** Draws a diff directory, below what it was made over, with its branches. */
export function formatBranchTree(root: DiffRecord): string {
  return `${showMessage(root.over ?? "a backup")}\n${drawn(root, "", true)}`;
}

function drawn(record: DiffRecord, indent: string, isLast: boolean): string {
  const { path, branches } = record;
  const facts = [stateText(record), sizeText(record)].filter((text) => text !== "").join(", ");
  const line = `${indent}${isLast ? "└─" : "├─"} ${showMessage(path)}  (${facts})\n`;
  const inner = indent + (isLast ? "   " : "│  ");
  return line + branches.map((branch, index) => {
    return drawn(branch, inner, index === branches.length - 1);
  }).join("");
}

function stateText({ state, mountPath }: DiffRecord): string {
  return mountPath === null ? STATES[state] : `mounted on ${showMessage(mountPath)}`;
}

function sizeText({ sizeBytes }: DiffRecord): string {
  return sizeBytes === null ? "" : formatHumanBytes(sizeBytes);
}
