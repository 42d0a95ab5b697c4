/**
 * JSON in the two forms of manifests: canonical, over which signatures are computed, and pretty, as
 * it is stored. Both have the keys of objects sorted by their UTF-8 bytes.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  /** In the order of the file; written sorted. */
  readonly [name: string]: JsonValue;
}

/** As deep as the reference's parser goes. */
const DEPTH_MAX = 128;
const INDENT = "  ";
const WHITE_SPACE = /[ \t\r\n]/;

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

/**
 * Reads JSON in which no object has a name twice: readers could differ in which of the two they
 * take.
 *
 * @throws {FormatError} when it is no JSON, or a name is there twice
 */
export function parseStrictJson(text: string): JsonValue {
  let value: JsonValue;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("Cannot read JSON: it is malformed", { cause });
  }
  if (countWrittenNames(text) === countNames(value)) return value;
  throw new FormatError("Cannot read JSON: an object has the same name twice");
}

/**
 * Without white space; null is not allowed.
 *
 * @throws {FormatError} when there is a null, a number that is not exact, or too much nesting
 */
export function canonicalJson(value: JsonValue): string {
  return format(value, undefined, 0);
}

/**
 * With two blanks for each level and no line end.
 *
 * @throws {FormatError} when there is a number that is not exact, or too much nesting
 */
export function prettyJson(value: JsonValue): string {
  return format(value, "\n", 0);
}

/**
 * `lineStart` is what a line of this level begins with, line end included; undefined for the
 * canonical form.
 */
function format(value: JsonValue, lineStart: string | undefined, depth: number): string {
  if (depth > DEPTH_MAX) throw new FormatError("Cannot write JSON: it is nested too deeply");
  if (value === null && lineStart === undefined) {
    throw new FormatError("Cannot write canonical JSON: null has no canonical form");
  }
  if (typeof value === "number" && Number.isInteger(value) && !Number.isSafeInteger(value)) {
    throw new FormatError(`Cannot write JSON: ${value} is not exact`);
  }
  if (typeof value !== "object" || value === null) return JSON.stringify(value);
  const inner = lineStart === undefined ? undefined : lineStart + INDENT;
  if (isArray(value)) {
    return enclose("[", value.map((item) => format(item, inner, depth + 1)), "]", lineStart);
  }
  const separator = lineStart === undefined ? ":" : ": ";
  const items = Object.keys(value).sort(compareByBytes).map((name) =>
    `${JSON.stringify(name)}${separator}${format(value[name]!, inner, depth + 1)}`
  );
  return enclose("{", items, "}", lineStart);
}

/** Names in a text that is valid JSON: strings that a colon follows. */
function countWrittenNames(text: string): number {
  let count = 0;
  for (let index = text.indexOf('"'); index >= 0; index = text.indexOf('"', index)) {
    index++;
    while (text[index] !== '"') index += text[index] === "\\" ? 2 : 1;
    index++;
    while (WHITE_SPACE.test(text.charAt(index))) index++;
    if (text[index] === ":") count++;
  }
  return count;
}

/** Names of all objects inside, without recursion: the nesting is not limited yet. */
function countNames(value: JsonValue): number {
  let count = 0;
  const open: JsonValue[] = [value];
  for (let next = open.pop(); next !== undefined; next = open.pop()) {
    if (typeof next !== "object" || next === null) continue;
    if (!isArray(next)) count += Object.keys(next).length;
    for (const inner of Object.values(next)) open.push(inner);
  }
  return count;
}

function enclose(
  open: string,
  items: readonly string[],
  close: string,
  lineStart: string | undefined,
): string {
  if (lineStart === undefined || items.length === 0) return open + items.join(",") + close;
  const inner = lineStart + INDENT;
  return open + inner + items.join(`,${inner}`) + lineStart + close;
}

function isArray(value: readonly JsonValue[] | JsonObject): value is readonly JsonValue[] {
  return Array.isArray(value);
}

/**
 * Order of the UTF-8 bytes, which is that of the code points; code units order otherwise above
 * U+FFFF.
 */
function compareByBytes(a: string, b: string): number {
  const length = Math.min(a.length, b.length);
  let index = 0;
  while (index < length && a.charCodeAt(index) === b.charCodeAt(index)) index++;
  if (index === length) return a.length - b.length;
  // Inside of a pair the difference is in the second half, and decides as well.
  return rank(a.charCodeAt(index)) - rank(b.charCodeAt(index));
}

/** Halves of pairs come after everything else. */
function rank(codeUnit: number): number {
  return codeUnit >= 0xd800 && codeUnit <= 0xdfff ? codeUnit + 0x1_0000 : codeUnit;
}
