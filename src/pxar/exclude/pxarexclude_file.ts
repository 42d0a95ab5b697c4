/**
 * `.pxarexclude` files: patterns that hold for the directory they lie in and below.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { UsageError } from "#src/errors.ts";
import { PathPattern } from "./pattern.ts";

/** Files of this name exclude, in their directory and below. */
export const EXCLUDE_FILE_NAME = ".pxarexclude";

/** A larger one is no list of patterns. */
export const EXCLUDE_FILE_SIZE_MAX = 1 << 20;

/** What a file says. */
export interface ParsedExcludeFile {
  /** In the order of their lines. */
  readonly patterns: readonly PathPattern[];
  /** Reasons why lines, or parts of them, were left out. */
  readonly problems: readonly string[];
}

const BYTE_ORDER_MARK = [0xef, 0xbb, 0xbf];
const NEWLINE = 0x0a;
const HASH = 0x23;
const EXCLAMATION_MARK = 0x21;
const SLASH = 0x2f;
const DOT = 0x2e;

/**
 * Parses the content of a `.pxarexclude` file; bad lines are left out and reported.
 *
 * @param directory path of the directory that holds the file, in bytes: empty for the root, else
 *   `/a/b`
 */
export function parseExcludeFile(content: Uint8Array, directory: Uint8Array): ParsedExcludeFile {
  const patterns: PathPattern[] = [];
  const problems: string[] = [];
  const text = withoutByteOrderMark(content);
  if (text !== content) {
    problems.push(
      "It begins with a byte order mark, which other programs take for a part of the first pattern",
    );
  }
  for (const line of lines(text)) {
    if (line.length === 0 || line[0] === HASH) continue;
    const action = line[0] === EXCLAMATION_MARK ? "include" : "exclude";
    const written = action === "include" ? line.subarray(1) : line;
    const kept = withoutDots(written);
    if (kept.length < written.length) {
      const left = kept.length === 0 ? "nothing is left of it" : "they are left out";
      problems.push(`Pattern ${quote(written)} has "." or ".." segments: ${left}`);
      if (kept.length === 0) continue;
    }
    try {
      const isAnchored = kept[0] === SLASH;
      patterns.push(
        PathPattern.parse(kept, isAnchored ? { action, below: directory } : { action }),
      );
    } catch (error) {
      if (!(error instanceof UsageError)) throw error;
      problems.push(error.message);
    }
  }
  return { patterns, problems };
}

/** The text behind the mark that some editors put in front of UTF-8. */
export function withoutByteOrderMark(content: Uint8Array): Uint8Array {
  const isMarked = BYTE_ORDER_MARK.every((byte, index) => content[index] === byte);
  return isMarked ? content.subarray(BYTE_ORDER_MARK.length) : content;
}

/** Lines without ASCII white space at their ends. */
function* lines(content: Uint8Array): Generator<Uint8Array> {
  let start = 0;
  while (start < content.length) {
    const newline = content.indexOf(NEWLINE, start);
    const stop = newline < 0 ? content.length : newline;
    let first = start;
    let end = stop;
    while (first < end && isWhiteSpace(content[first]!)) first++;
    while (end > first && isWhiteSpace(content[end - 1]!)) end--;
    yield content.subarray(first, end);
    start = stop + 1;
  }
}

function quote(bytes: Uint8Array): string {
  return JSON.stringify(decodeFileName(bytes));
}

/** Tab, newline, form feed, carriage return, space. */
function isWhiteSpace(byte: number): boolean {
  return byte === 0x20 || byte === 0x09 || byte === 0x0a || byte === 0x0c || byte === 0x0d;
}

/** Takes `.` and `..` segments out of a pattern. */
function withoutDots(pattern: Uint8Array): Uint8Array {
  if (!pattern.includes(DOT)) return pattern;
  const kept: number[] = [];
  let hasDots = false;
  for (let start = 0; start < pattern.length;) {
    const slash = pattern.indexOf(SLASH, start);
    const end = slash < 0 ? pattern.length : slash;
    const next = slash < 0 ? end : slash + 1;
    const isDots = end > start && end - start <= 2 && pattern[start] === DOT &&
      pattern[end - 1] === DOT;
    if (isDots) hasDots = true;
    else kept.push(...pattern.subarray(start, next));
    start = next;
  }
  if (!hasDots) return pattern;
  // The slash before a segment that was the last one goes with it: it would mean "directories
  // only".
  if (pattern.at(-1) !== SLASH && kept.at(-1) === SLASH) kept.pop();
  return Uint8Array.from(kept);
}
