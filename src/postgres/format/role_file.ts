/**
 * The name of the superuser that initdb has made, out of the files of a data directory: whoever
 * connects has to know it, and only who is connected can ask for it.
 *
 * `pg_filenode.map` says in which file roles are: a magic number, the count of pairs, and pairs of
 * a relation and its file. Roles are rows of a heap; each begins with its number and its name.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** Size of `pg_filenode.map`, which is written in one piece. */
export const MAP_SIZE_MAX = 1024;

const MAP_MAGIC = 0x592717;
const MAP_PAIRS_MAX = 64;
const ROLES_OID = 1260;
const SUPERUSER_OID = 10;
const PAGE_SIZE = 8192;
const PAGE_HEADER_SIZE = 24;
const LINE_POINTER_SIZE = 4;
const LINE_NORMAL = 1;
const ROW_HEADER_SIZE = 23;
const ROW_HEADER_LENGTH_OFFSET = 22;
const NAME_SIZE = 64;

/** Name of the file with roles, in `global/`. @throws {FormatError} */
export function parseRoleFileName(map: Uint8Array): string {
  const view = new DataView(map.buffer, map.byteOffset, map.length);
  const count = map.length >= 8 ? view.getInt32(4, true) : -1;
  if (count < 0 || count > MAP_PAIRS_MAX || view.getInt32(0, true) !== MAP_MAGIC) {
    throw new FormatError("Not a map of files", { path: "global/pg_filenode.map" });
  }
  for (let offset = 8; offset < 8 + 8 * count && offset + 8 <= map.length; offset += 8) {
    if (view.getUint32(offset, true) === ROLES_OID) return `${view.getUint32(offset + 4, true)}`;
  }
  throw new FormatError("The map of files has no roles", { path: "global/pg_filenode.map" });
}

/** Names that the superuser has or had: rows that were replaced are there for a while. */
export function parseSuperuserNames(file: Uint8Array): string[] {
  const names = new Set<string>();
  for (let start = 0; start + PAGE_SIZE <= file.length; start += PAGE_SIZE) {
    addNamesOfPage(file.subarray(start, start + PAGE_SIZE), names);
  }
  return [...names];
}

function addNamesOfPage(page: Uint8Array, names: Set<string>): void {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const end = Math.min(view.getUint16(12, true), PAGE_SIZE);
  for (let at = PAGE_HEADER_SIZE; at + LINE_POINTER_SIZE <= end; at += LINE_POINTER_SIZE) {
    const pointer = view.getUint32(at, true);
    const offset = pointer & 0x7fff;
    if (((pointer >>> 15) & 3) !== LINE_NORMAL || offset + ROW_HEADER_SIZE > PAGE_SIZE) continue;
    const row = offset + page[offset + ROW_HEADER_LENGTH_OFFSET]!;
    if (row + 4 + NAME_SIZE > PAGE_SIZE || view.getUint32(row, true) !== SUPERUSER_OID) continue;
    const bytes = page.subarray(row + 4, row + 4 + NAME_SIZE);
    const length = bytes.indexOf(0);
    names.add(new TextDecoder().decode(bytes.subarray(0, length < 0 ? NAME_SIZE - 1 : length)));
  }
}
