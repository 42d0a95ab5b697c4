/**
 * Text in the width that a terminal has.
 *
 * @module
 */

/**
 * Breaks a line at its blanks so that no part is longer than `width`; a word that is longer stays
 * whole, so that it can be copied.
 */
export function wrapText(text: string, width: number): string[] {
  const lines: string[] = [];
  for (const paragraph of text.split("\n")) {
    // Blanks in it may mean something: a tree is drawn with them.
    if (paragraph.length <= width) {
      lines.push(paragraph);
      continue;
    }
    let line = "";
    for (const word of paragraph.split(" ")) {
      const longer = line === "" ? word : `${line} ${word}`;
      if (longer.length <= width) {
        line = longer;
        continue;
      }
      if (line !== "") lines.push(line);
      line = word;
    }
    lines.push(line);
  }
  return lines;
}

/**
 * Breaks a command line at blanks outside of quotes, so that it can be copied and pasted. Each line
 * but the last ends with ` \`.
 */
export function wrapCommandLine(line: string, width: number): string[] {
  const words = line.match(/(?:[^\s'"]|'[^']*'|"[^"]*")+/gu) ?? [];
  const lines: string[] = [];
  let current = "";
  for (const word of words) {
    const longer = current === "" ? word : `${current} ${word}`;
    if (longer.length + 2 <= width || current === "") current = longer;
    else {
      lines.push(`${current} \\`);
      current = `  ${word}`;
    }
  }
  // What was kept free for a backslash at the last line's end may hold its last word.
  return [...lines, current];
}

/**
 * Breaks cells at blanks so that a table fits, the widest columns first. Words are never broken:
 * they are ids, names and numbers that somebody copies.
 *
 * @param rows cells of all rows, headings too, with the same number of columns
 * @param available columns of the terminal for cells, without what stands between them
 * @param isWhole of each column, whether its cells are not broken at all
 * @returns the lines of each cell; undefined where the table cannot fit
 */
export function wrapCells(
  rows: readonly (readonly string[])[],
  available: number,
  isWhole: readonly boolean[],
): string[][][] | undefined {
  const columns = (rows[0] ?? []).map((_, index) => rows.map((row) => row[index]!));
  const widths = columns.map(longest);
  const floors = columns.map((cells, index) =>
    isWhole[index] ? widths[index]! : longest(cells.flatMap((cell) => cell.split(" ")))
  );
  let excess = widths.reduce((sum, width) => sum + width, 0) - available;
  for (; excess > 0; excess--) {
    const free = widths.map((width, index) => width > floors[index]! ? width : 0);
    const widest = longestIndex(free);
    if (free[widest] === 0 || free.length === 0) return undefined;
    widths[widest]!--;
  }
  return rows.map((row) => row.map((cell, index) => wrapText(cell, widths[index]!)));
}

function longest(texts: readonly string[]): number {
  return texts.reduce((length, text) => Math.max(length, text.length), 0);
}

function longestIndex(lengths: readonly number[]): number {
  return lengths.indexOf(Math.max(...lengths));
}
