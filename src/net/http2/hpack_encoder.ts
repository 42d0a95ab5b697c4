/**
 * Header fields into header blocks (RFC 7541), by the static table and literals alone: what these
 * connections send is short, and no state means nothing to get out of step.
 *
 * @module
 */

import { type HeaderField, STATIC_TABLE } from "./hpack_table.ts";

const indexOfField = new Map<string, number>();
const indexOfName = new Map<string, number>();
STATIC_TABLE.forEach(([name, value], position) => {
  indexOfField.set(`${name}\n${value}`, position + 1);
  if (!indexOfName.has(name)) indexOfName.set(name, position + 1);
});

/** Secrets, which no hop may put into a table (section 7.1.3). */
const NEVER_INDEXED: ReadonlySet<string> = new Set([
  "authorization",
  "cookie",
  "csrfpreventiontoken",
  "proxy-authorization",
  "set-cookie",
]);

/** "The table has 0 bytes from now on": the peer need not keep room for one. */
const NO_TABLE = 0x20;

/**
 * One block. Values are written as the bytes of their characters' numbers.
 *
 * @param isFirst whether it is the first of the connection, which says that no table is used
 */
export function encodeHeaderBlock(
  fields: readonly HeaderField[],
  isFirst = false,
): Uint8Array<ArrayBuffer> {
  const bytes: number[] = isFirst ? [NO_TABLE] : [];
  for (const [name, value] of fields) {
    const index = indexOfField.get(`${name}\n${value}`);
    if (index !== undefined) {
      putInteger(bytes, 0x80, 7, index);
      continue;
    }
    const nameIndex = indexOfName.get(name) ?? 0;
    putInteger(bytes, NEVER_INDEXED.has(name) ? 0x10 : 0, 4, nameIndex);
    if (nameIndex === 0) putString(bytes, name);
    putString(bytes, value);
  }
  return Uint8Array.from(bytes);
}

function putInteger(bytes: number[], marker: number, prefixBits: number, value: number): void {
  const prefixMax = 2 ** prefixBits - 1;
  if (value < prefixMax) {
    bytes.push(marker | value);
    return;
  }
  bytes.push(marker | prefixMax);
  let rest = value - prefixMax;
  for (; rest >= 0x80; rest = Math.floor(rest / 0x80)) bytes.push(rest % 0x80 | 0x80);
  bytes.push(rest);
}

function putString(bytes: number[], text: string): void {
  putInteger(bytes, 0, 7, text.length);
  for (let at = 0; at < text.length; at++) bytes.push(text.charCodeAt(at));
}
