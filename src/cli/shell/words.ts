/**
 * A command line as words, with the quotation marks and backslashes of a shell, but without its
 * variables and globs.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

const BLANK = /\s/u;
/** What a word cannot hold without a backslash. */
const SPECIAL = /[\s"'\\#]/gu;

/** A word that may go on where the cursor is. */
export interface OpenWord {
  /** Where it begins in the line. */
  readonly start: number;
  /** What it says so far, without quotation marks and backslashes. */
  readonly text: string;
}

/** A line up to the cursor. */
export interface LineStart {
  /** The words before the one at the cursor. */
  readonly words: readonly string[];
  /** The word at the cursor; an empty one behind a blank. */
  readonly open: OpenWord;
}

/**
 * The words of a line; what follows a `#` at the beginning of a word is a comment.
 *
 * @throws {UsageError} when a quotation mark has no partner
 */
export function splitWords(line: string): string[] {
  const { words, open, isOpenWord, quote } = scan(line);
  if (quote !== undefined) {
    throw new UsageError(`Cannot understand the line: a ${quote} has no partner`);
  }
  return isOpenWord ? [...words, open.text] : words;
}

/** Takes apart what is left of the cursor; quotation marks may be open. */
export function splitLineStart(line: string): LineStart {
  const { words, open } = scan(line);
  return { words, open };
}

/** The word as it must be typed. */
export function escapeWord(text: string): string {
  return text.replace(SPECIAL, (character) => character === "\n" ? "'\n'" : `\\${character}`);
}

interface Scan {
  readonly words: string[];
  readonly open: OpenWord;
  readonly isOpenWord: boolean;
  readonly quote: string | undefined;
}

function scan(line: string): Scan {
  const words: string[] = [];
  let text = "";
  let start = -1;
  let quote: string | undefined;
  for (let i = 0; i < line.length; i++) {
    const character = line[i]!;
    if (quote === undefined && BLANK.test(character)) {
      if (start >= 0) words.push(text);
      text = "";
      start = -1;
      continue;
    }
    if (quote === undefined && start < 0 && character === "#") {
      return { words, open: { start: line.length, text: "" }, isOpenWord: false, quote };
    }
    if (start < 0) start = i;
    if (character === "\\" && quote !== "'" && i + 1 < line.length) text += line[++i];
    else if (character === quote) quote = undefined;
    else if (quote === undefined && (character === '"' || character === "'")) quote = character;
    else text += character;
  }
  const isOpenWord = start >= 0;
  return { words, open: { start: isOpenWord ? start : line.length, text }, isOpenWord, quote };
}
