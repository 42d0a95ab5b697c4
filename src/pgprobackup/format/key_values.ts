/**
 * The text form of `backup.control` and `pg_probackup.conf`: `key = value` lines and `#` comments.
 *
 * A value in single quotes may hold `''` and backslash escapes; an unquoted one ends at white space
 * or `#`. Keys compare without case, and `-`, `_` and blank are the same in them.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";

/** Where a text comes from, for messages. */
export interface TextPlace {
  readonly path: string;
  readonly backupId?: string;
}

/** Largest accepted file; real ones are below 2 KiB. */
export const KEY_VALUES_SIZE_MAX = 1 << 20;

const ESCAPES: Readonly<Record<string, string>> = {
  b: "\b",
  f: "\f",
  n: "\n",
  r: "\r",
  t: "\t",
};

/**
 * Parses the lines; of a repeated key the last one counts. Keys come out in lower case with `-`.
 *
 * @throws {FormatError} for a line that is neither empty, comment nor `key = value`, for an open
 *   quote and for a file above {@link KEY_VALUES_SIZE_MAX}
 */
export function parseKeyValues(bytes: Uint8Array, place: TextPlace): Map<string, string> {
  if (bytes.length > KEY_VALUES_SIZE_MAX) {
    throw new FormatError(
      `Cannot read settings: ${bytes.length} bytes are more than ${KEY_VALUES_SIZE_MAX}`,
      place,
    );
  }
  const values = new Map<string, string>();
  let offset = 0;
  let lineNumber = 0;
  while (offset < bytes.length) {
    let end = bytes.indexOf(0x0a, offset);
    if (end < 0) end = bytes.length;
    lineNumber += 1;
    parseLine(decodeFileName(bytes.subarray(offset, end)).trim(), values, (problem) => {
      throw new FormatError(`Cannot parse line ${lineNumber}: ${problem}`, { ...place, offset });
    });
    offset = end + 1;
  }
  return values;
}

function parseLine(
  line: string,
  values: Map<string, string>,
  refuse: (problem: string) => never,
): void {
  if (line === "" || line.startsWith("#")) return;
  const equals = line.indexOf("=");
  if (equals <= 0) refuse("no `key = value`");
  const key = line.slice(0, equals).trim().toLowerCase().replace(/[_ ]/g, "-");
  values.set(key, parseValue(line.slice(equals + 1).trim(), refuse));
}

function parseValue(text: string, refuse: (problem: string) => never): string {
  if (!text.startsWith("'")) return text.split(/[\s#]/, 1)[0]!;
  let value = "";
  for (let position = 1; position < text.length; position++) {
    const character = text[position]!;
    if (character === "'") {
      if (text[position + 1] !== "'") return value;
      value += "'";
      position += 1;
    } else if (character === "\\" && position + 1 < text.length) {
      position += 1;
      value += unescape(text[position]!);
    } else {
      value += character;
    }
  }
  return refuse("quoted value has no end");
}

function unescape(character: string): string {
  return ESCAPES[character] ?? character;
}
