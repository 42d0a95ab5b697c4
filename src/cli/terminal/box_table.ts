/**
 * Tables with lines around the cells.
 *
 * @module
 */

import { type Column, formatParagraphs, formatTable, wrapTable } from "./table.ts";

/** What a table has around its cells. */
export interface BoxTableStyle {
  readonly hasBorder: boolean;
  readonly hasHeader: boolean;
  /**
   * Columns of the terminal: cells are broken at blanks so that the table fits; undefined where
   * nobody looks.
   */
  readonly widthMax?: number | undefined;
}

/** Formats rows under headings; ends with a line feed. A table without rows is nothing. */
export function formatBoxTable(
  columns: readonly Column[],
  rows: readonly (readonly string[])[],
  style: BoxTableStyle,
): string {
  if (rows.length === 0) return "";
  if (!style.hasBorder) {
    return formatTable(columns, rows, style.widthMax, style.hasHeader);
  }
  const titles = columns.map((column) => column.title);
  const available = (style.widthMax ?? Infinity) - 3 * columns.length - 1;
  const shown = wrapTable(columns, style.hasHeader ? [titles, ...rows] : rows, available);
  if (shown === undefined) {
    return formatParagraphs(style.hasHeader ? titles : undefined, rows, style.widthMax!);
  }
  const widths = columns.map((_, index) =>
    Math.max(...shown.flatMap((row) => row[index]!.map(({ length }) => length)))
  );
  const line = (row: readonly (readonly string[])[]) => {
    const height = Math.max(...row.map(({ length }) => length));
    const lineAt = (y: number) => {
      const cells = row.map((lines, index) => {
        const text = lines[y] ?? "";
        const width = widths[index]!;
        return columns[index]!.align === "right" ? text.padStart(width) : text.padEnd(width);
      });
      return `│ ${cells.join(" │ ")} │\n`;
    };
    return Array.from({ length: height }, (_, y) => lineAt(y)).join("");
  };
  const rule = (left: string, fill: string, middle: string, right: string) =>
    left + widths.map((width) => fill.repeat(width + 2)).join(middle) + `${right}\n`;
  const body = style.hasHeader ? shown.slice(1) : shown;
  const head = style.hasHeader ? line(shown[0]!) + rule("╞", "═", "╪", "╡") : "";
  return rule("┌", "─", "┬", "┐") + head + body.map(line).join(rule("├", "─", "┼", "┤")) +
    rule("└", "─", "┴", "┘");
}
