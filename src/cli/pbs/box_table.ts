/**
 * Tables with lines around the cells.
 *
 * @module
 */

import { type Column, formatTable } from "../table.ts";

/** A column's heading and side. */
export type BoxColumn = Column;

/** What a table has around its cells. */
export interface BoxTableStyle {
  readonly hasBorder: boolean;
  readonly hasHeader: boolean;
}

/** Formats rows under headings; ends with a line feed. A table without rows is nothing. */
export function formatBoxTable(
  columns: readonly BoxColumn[],
  rows: readonly (readonly string[])[],
  style: BoxTableStyle,
): string {
  if (rows.length === 0) return "";
  if (!style.hasBorder) {
    const text = formatTable(columns, rows);
    return style.hasHeader ? text : text.slice(text.indexOf("\n") + 1);
  }
  const titles = columns.map((column) => column.title);
  const shown = style.hasHeader ? [titles, ...rows] : rows;
  const widths = columns.map((_, index) => Math.max(...shown.map((row) => row[index]!.length)));
  const line = (row: readonly string[]) => {
    const cells = row.map((cell, index) =>
      columns[index]!.align === "right"
        ? cell.padStart(widths[index]!)
        : cell.padEnd(widths[index]!)
    );
    return `│ ${cells.join(" │ ")} │\n`;
  };
  const rule = (left: string, fill: string, middle: string, right: string) =>
    left + widths.map((width) => fill.repeat(width + 2)).join(middle) + `${right}\n`;
  const head = style.hasHeader ? line(titles) + rule("╞", "═", "╪", "╡") : "";
  return rule("┌", "─", "┬", "┐") + head + rows.map(line).join(rule("├", "─", "┼", "┤")) +
    rule("└", "─", "┴", "┘");
}
