/**
 * Tables for people: columns under headings, without borders, so that they can be cut and copied.
 *
 * @module
 */

import Table from "cli-table3";
import { wrapCells, wrapText } from "./wrapping.ts";

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
 * @param widthMax columns of the terminal: cells are broken at blanks so that the table fits, and
 *   where that is not enough each row becomes a paragraph; undefined where nobody looks
 */
export function formatTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  widthMax = Infinity,
  hasHeader = true,
): string {
  const titles = columns.map(({ title }) => title);
  const available = widthMax - GAP.length * (columns.length - 1);
  const wrapped = wrapTable(columns, hasHeader ? [titles, ...rows] : rows, available);
  if (wrapped === undefined) {
    return formatParagraphs(hasHeader ? titles : undefined, rows, widthMax);
  }
  const body = wrapped.map((row) => row.map((lines) => lines.join("\n")));
  const head = hasHeader ? body.shift()! : [];

  const table = new Table({
    chars: NO_BORDERS,
    style: { "padding-left": 0, "padding-right": 0, head: [], border: [] },
    head,
    colAligns: columns.map((column) => column.align ?? "left"),
  });
  for (const row of body) table.push(row);
  return table.toString().split("\n").map((line) => line.trimEnd()).join("\n") + "\n";
}

/** Breaks cells as {@link wrapCells} does; numbers stay together with their units. */
export function wrapTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  available: number,
): string[][][] | undefined {
  return wrapCells(rows, available, columns.map(({ align }) => align === "right"));
}

/**
 * Formats rows where there is no room for a table: a line for each cell that is not empty behind
 * its heading, and an empty line between rows.
 *
 * @param titles headings of all columns; undefined to show none
 */
export function formatParagraphs(
  titles: readonly string[] | undefined,
  rows: readonly (readonly string[])[],
  widthMax: number,
): string {
  const titleWidth = titles === undefined ? 0 : Math.max(...titles.map(({ length }) => length));
  const indent = titles === undefined ? "" : " ".repeat(titleWidth + GAP.length);
  const formatCell = (cell: string, index: number) =>
    cell === "" ? "" : wrapText(cell, Math.max(1, widthMax - indent.length)).map((line, number) => {
      const title = number === 0 ? titles?.[index] ?? "" : "";
      return `${title.padEnd(indent.length)}${line}`.trimEnd() + "\n";
    }).join("");
  return rows.map((row) => row.map(formatCell).join("")).join("\n");
}
