/**
 * The pattern language, compiled to a list of steps. Bytes, not characters.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { UsageError } from "#src/errors.ts";

/** Longest pattern that is accepted, in bytes: paths are not longer. */
export const PATTERN_SIZE_MAX = 4096;

/** What one step of a compiled pattern takes from a path. Values below 256 are that byte itself. */
export const Step = {
  /** `?`: one byte except `/`. */
  ANY: 256,
  /** `*`: any run without `/`. */
  STAR: 257,
  /** `**` at the end: any run. */
  TREE: 258,
  /** `**` and the slash behind it: nothing, or any run that ends in `/`. */
  TREE_SLASH: 259,
  /** First of the classes: `CLASS + n` is the nth. */
  CLASS: 260,
} as const;

/** A compiled pattern. */
export interface CompiledPattern {
  readonly steps: Uint16Array;
  /** Members of the classes: `classes[n][byte]` is 1. */
  readonly classes: readonly Uint8Array[];
}

const SLASH = 0x2f;
const STAR = 0x2a;
const QUESTION_MARK = 0x3f;
const BACKSLASH = 0x5c;
const OPEN = 0x5b;
const CLOSE = 0x5d;
const CARET = 0x5e;
const MINUS = 0x2d;
const COLON = 0x3a;

function badPattern(pattern: Uint8Array, reason: string): UsageError {
  const text = JSON.stringify(decodeFileName(pattern.subarray(0, PATTERN_SIZE_MAX)));
  return new UsageError(`Cannot use pattern ${text}: ${reason}`, { code: "bad-pattern" });
}

/**
 * Compiles a pattern without the slashes at its end.
 *
 * @param prefix path of a directory that is matched literally in front of the pattern
 * @throws {UsageError} with code `bad-pattern`
 */
export function compilePattern(pattern: Uint8Array, prefix: Uint8Array): CompiledPattern {
  const sizeBytes = prefix.length + pattern.length;
  if (pattern.length > PATTERN_SIZE_MAX || sizeBytes > 2 * PATTERN_SIZE_MAX) {
    throw badPattern(pattern, `${sizeBytes} bytes are more than ${PATTERN_SIZE_MAX}`);
  }
  if (pattern.includes(0)) throw badPattern(pattern, "null-byte in pattern");
  const steps: number[] = [...prefix];
  const classes: Uint8Array[] = [];
  let position = 0;
  while (position < pattern.length) {
    const byte = pattern[position]!;
    if (byte === BACKSLASH) {
      const literal = pattern[position + 1];
      if (literal === undefined) throw badPattern(pattern, "trailing backslash in pattern");
      steps.push(literal);
      position += 2;
    } else if (byte === QUESTION_MARK) {
      steps.push(Step.ANY);
      position += 1;
    } else if (byte === STAR) {
      position = compileStars(pattern, position, steps);
    } else if (byte === OPEN) {
      const members = new Uint8Array(256);
      position = compileClass(pattern, position, members);
      steps.push(Step.CLASS + classes.length);
      classes.push(members);
    } else {
      steps.push(byte);
      position += 1;
    }
  }
  return { steps: Uint16Array.from(steps), classes };
}

/**
 * `*`, or `**` where it stands between slashes or ends of the pattern. @returns the position behind
 */
function compileStars(pattern: Uint8Array, start: number, steps: number[]): number {
  let end = start;
  while (pattern[end] === STAR) end++;
  const before = pattern[start - 1];
  const after = pattern[end];
  const isTree = end - start > 1 && (before === undefined || before === SLASH) &&
    (after === undefined || after === SLASH);
  if (!isTree) steps.push(Step.STAR);
  else if (after === undefined) steps.push(Step.TREE);
  else {
    steps.push(Step.TREE_SLASH);
    return end + 1;
  }
  return end;
}

/**
 * `[…]`: only `^` negates, `]` always closes, and a `-` behind a member makes a range with whatever
 * byte follows, `]` included, as the reference has it.
 *
 * @returns the position behind
 */
function compileClass(pattern: Uint8Array, start: number, members: Uint8Array): number {
  const unclosed = () =>
    badPattern(pattern, `unclosed character class in pattern, starting at byte ${start}`);
  let position = start + 1;
  const isNegated = pattern[position] === CARET;
  if (isNegated) position++;
  const literal = (): number => {
    if (pattern[position] === BACKSLASH) position++;
    const byte = pattern[position++];
    if (byte === undefined) throw unclosed();
    return byte;
  };
  while (pattern[position] !== CLOSE) {
    if (pattern[position] === OPEN && pattern[position + 1] === COLON) {
      position = addNamedClass(pattern, position, start, members);
      continue;
    }
    const first = literal();
    let last = first;
    if (pattern[position] === MINUS) {
      position++;
      last = literal();
    }
    members.fill(1, Math.min(first, last), Math.max(first, last) + 1);
  }
  if (isNegated) { for (let byte = 0; byte < 256; byte++) members[byte] = 1 - members[byte]!; }
  return position + 1;
}

type Range = readonly [first: number, last: number];

const DIGITS: Range = [0x30, 0x39];
const UPPER: Range = [0x41, 0x5a];
const LOWER: Range = [0x61, 0x7a];

const NAMED_CLASSES = new Map<string, readonly Range[]>([
  ["alnum", [DIGITS, UPPER, LOWER]],
  ["alpha", [UPPER, LOWER]],
  ["blank", [[0x09, 0x09], [0x20, 0x20]]],
  ["cntrl", [[0x00, 0x1f], [0x7f, 0x7f]]],
  ["digit", [DIGITS]],
  ["graph", [[0x21, 0x7e]]],
  ["lower", [LOWER]],
  ["print", [[0x20, 0x7e]]],
  ["punct", [[0x21, 0x2f], [0x3a, 0x40], [0x5b, 0x60], [0x7b, 0x7e]]],
  ["space", [[0x09, 0x0d], [0x20, 0x20]]],
  ["upper", [UPPER]],
  ["xdigit", [DIGITS, [0x41, 0x46], [0x61, 0x66]]],
]);

const NAME_LENGTH_MAX = 6;

/** `[:name:]`. @returns the position behind */
function addNamedClass(
  pattern: Uint8Array,
  start: number,
  classStart: number,
  members: Uint8Array,
): number {
  const end = pattern.indexOf(COLON, start + 2);
  const length = end - start - 2;
  const ranges = end > 0 && length <= NAME_LENGTH_MAX && pattern[end + 1] === CLOSE
    ? NAMED_CLASSES.get(String.fromCharCode(...pattern.subarray(start + 2, end)))
    : undefined;
  if (ranges === undefined) {
    throw badPattern(
      pattern,
      `malformed named character class in pattern, starting at byte ${classStart}`,
    );
  }
  for (const [first, last] of ranges) members.fill(1, first, last + 1);
  return end + 2;
}
