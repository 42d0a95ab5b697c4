/**
 * Names in catalogs that all databases of a cluster share, out of the files of a data directory:
 * whoever connects has to know some, and only who is connected can ask for them.
 *
 * `pg_filenode.map` says in which file a catalog is: a magic number, the count of pairs, and pairs
 * of a relation and its file. The catalogs of roles and of databases are heaps whose rows begin, in
 * versions from 12 on, with their number and their name.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** Size of `pg_filenode.map`, which is written in one piece. */
export const MAP_SIZE_MAX = 1024;

/** Catalogs that can be read. */
export const Catalog = { ROLES: 1260, DATABASES: 1262 } as const;

/** A row: one that a server sees, or one that was replaced or removed and is there for a while. */
export interface NamedRow {
  readonly oid: number;
  readonly name: string;
}

const MAP_MAGIC = 0x592717;
const MAP_PAIRS_MAX = 64;
const SUPERUSER_OID = 10;
const PAGE_SIZE = 8192;
const PAGE_HEADER_SIZE = 24;
const LINE_POINTER_SIZE = 4;
const LINE_NORMAL = 1;
const ROW_HEADER_SIZE = 23;
const ROW_HEADER_LENGTH_OFFSET = 22;
const NAME_SIZE = 64;

/** Name of the file of a catalog, in `global/`. @throws {FormatError} */
export function parseCatalogFileName(map: Uint8Array, catalog: number): string {
  const view = new DataView(map.buffer, map.byteOffset, map.length);
  const count = map.length >= 8 ? view.getInt32(4, true) : -1;
  if (count < 0 || count > MAP_PAIRS_MAX || view.getInt32(0, true) !== MAP_MAGIC) {
    throw new FormatError("Not a map of files", { path: "global/pg_filenode.map" });
  }
  for (let offset = 8; offset < 8 + 8 * count && offset + 8 <= map.length; offset += 8) {
    if (view.getUint32(offset, true) === catalog) return `${view.getUint32(offset + 4, true)}`;
  }
  throw new FormatError(`The map of files has no catalog ${catalog}`, {
    path: "global/pg_filenode.map",
  });
}

/** Names that the superuser has or had. */
export function parseSuperuserNames(file: Uint8Array): string[] {
  const rows = parseNamedRows(file).filter(({ oid }) => oid === SUPERUSER_OID);
  return [...new Set(rows.map(({ name }) => name))];
}

/** All rows of the file of such a catalog. */
export function parseNamedRows(file: Uint8Array): NamedRow[] {
  const rows: NamedRow[] = [];
  for (let start = 0; start + PAGE_SIZE <= file.length; start += PAGE_SIZE) {
    rows.push(...rowsOfPage(file.subarray(start, start + PAGE_SIZE)));
  }
  return rows;
}

function* rowsOfPage(page: Uint8Array): Generator<NamedRow> {
  const view = new DataView(page.buffer, page.byteOffset, page.length);
  const end = Math.min(view.getUint16(12, true), PAGE_SIZE);
  for (let at = PAGE_HEADER_SIZE; at + LINE_POINTER_SIZE <= end; at += LINE_POINTER_SIZE) {
    const pointer = view.getUint32(at, true);
    const offset = pointer & 0x7fff;
    if (((pointer >>> 15) & 3) !== LINE_NORMAL || offset + ROW_HEADER_SIZE > PAGE_SIZE) continue;
    const row = offset + page[offset + ROW_HEADER_LENGTH_OFFSET]!;
    if (row + 4 + NAME_SIZE > PAGE_SIZE) continue;
    const bytes = page.subarray(row + 4, row + 4 + NAME_SIZE);
    const length = bytes.indexOf(0);
    const name = new TextDecoder().decode(bytes.subarray(0, length < 0 ? NAME_SIZE - 1 : length));
    yield { oid: view.getUint32(row, true), name };
  }
}
