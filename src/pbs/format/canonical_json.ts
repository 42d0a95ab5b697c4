/**
 * JSON in the two forms of manifests: canonical, over which signatures are computed, and pretty, as it is stored. Both have the
 * keys of objects sorted by their UTF-8 bytes.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** What JSON can say. */
export type JsonValue = null | boolean | number | string | readonly JsonValue[] | JsonObject;

/** A JSON object. */
export interface JsonObject {
  readonly [name: string]: JsonValue;
}

/** As deep as the reference's parser goes. */
const DEPTH_MAX = 128;
const INDENT = "  ";

/** Whether a value is a JSON object. */
export function isJsonObject(value: unknown): value is JsonObject {
  return typeof value === "object" && value !== null && !Array.isArray(value);
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

/** `lineStart` is what a line of this level begins with, line end included; undefined for the canonical form. */
function format(value: JsonValue, lineStart: string | undefined, depth: number): string {
  if (depth > DEPTH_MAX) throw new FormatError("Cannot write JSON: it is nested too deeply");
  if (value === null && lineStart === undefined) {
    throw new FormatError("Cannot write canonical JSON: it has a null");
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

/** Order of the UTF-8 bytes, which is that of the code points; code units order otherwise above U+FFFF. */
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
