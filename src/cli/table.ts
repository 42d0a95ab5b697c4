/**
 * Tables for people: columns under headings, without borders, so that they can be cut and copied.
 *
 * @module
 */

import Table from "cli-table3";
import { wrapCells } from "./wrapping.ts";

/** A column's heading and side. */
export interface Column {
  readonly title: string;
  readonly align?: "left" | "right";
}

const GAP = "  ";

const NO_BORDERS = {
  "top": "",
  "top-mid": "",
  "top-left": "",
  "top-right": "",
  "bottom": "",
  "bottom-mid": "",
  "bottom-left": "",
  "bottom-right": "",
  "left": "",
  "left-mid": "",
  "mid": "",
  "mid-mid": "",
  "right": "",
  "right-mid": "",
  "middle": GAP,
};

/**
 * Formats rows under headings; ends with a line feed.
 *
 * @param widthMax columns of the terminal: cells are broken so that the table fits; undefined where nobody looks
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widthMax = Infinity,
): string {
  const available = widthMax - GAP.length * (columns.length - 1);
  const [head, ...wrapped] = wrapCells([columns.map(({ title }) => title), ...rows], available)
    .map((row) => row.map((lines) => lines.join("\n")));

  const table = new Table({
    chars: NO_BORDERS,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    head: head!,
    colAligns: columns.map((column) => column.align ?? "left"),
  });
  for (const row of wrapped) table.push(row);
  return table.toString().split("\n").map((line) => line.trimEnd()).join("\n") + "\n";
}

const UNITS = ["B", "kB", "MB", "GB", "TB", "PB"] as const;
const UNIT_STEP = 1024;
const UNIT_LIMIT = 10 * UNIT_STEP;

/** A number of bytes as pg_probackup prints it: `512B`, `3493kB`, `34MB`. */
export function formatSize(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= UNIT_LIMIT && unit < UNITS.length - 1) {
    value /= UNIT_STEP;
    unit += 1;
  }
  return `${Math.round(value)}${UNITS[unit]}`;
}
