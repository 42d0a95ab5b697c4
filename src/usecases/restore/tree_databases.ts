/**
 * Which databases a data directory has, without a server to ask: directories say it by OIDs, the
 * file of `pg_database` has names.
 *
 * Pages also have rows that no server sees any more: of a database that was renamed, the former
 * name. Whether a row counts is said by other files, which may be behind as well. So whoever asks
 * gets all names of all rows, and takes what is not ambiguous.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import {
  Catalog,
  MAP_SIZE_MAX,
  parseCatalogFileName,
  parseNamedRows,
} from "#src/postgres/format/shared_catalog.ts";
import type { DirectoryNode, FileNode } from "#src/tree/node.ts";
import { fileIn, readBytes } from "../data_directory_files.ts";
import { type KnownDatabases, TEMPLATES } from "./database_choice.ts";

const CATALOG_SIZE_MAX = 64 << 20;
/** Before, rows begin with the name. */
const VERSION_MIN = 12;

/**
 * Finds them.
 *
 * @param tablespaces directories of which each has those of the versions
 * @param serverVersion as `PG_VERSION` says it
 * @throws {FormatError} `unsupported` for an old version; when the files of the catalog are missing
 *   or damaged
 */
export function findDatabases(
  root: DirectoryNode,
  tablespaces: readonly DirectoryNode[],
  label: string,
  serverVersion: string,
): KnownDatabases {
  if (!(Number.parseInt(serverVersion) >= VERSION_MIN)) {
    throw new FormatError(`Cannot tell databases of PostgreSQL "${serverVersion}" apart`, {
      code: "unsupported",
      path: "PG_VERSION",
    });
  }
  const versions = tablespaces.flatMap((directory) =>
    [...directory.entries()].map(({ node }) => node)
  );
  const all = new Set([root.lookup("base"), ...versions].flatMap((node) => oidsIn(node)));
  const global = root.lookup("global");
  const map = readBytes(fileOf(global, "pg_filenode.map"), MAP_SIZE_MAX);
  const file = fileOf(global, parseCatalogFileName(map, Catalog.DATABASES));
  const rows = parseNamedRows(readBytes(file, CATALOG_SIZE_MAX)).filter(({ oid }) => all.has(oid));
  const templates = rows.filter(({ name }) => TEMPLATES.includes(name)).map(({ oid }) => oid);
  if (templates.length < TEMPLATES.length) {
    throw new FormatError("Cannot tell databases apart: pg_database has no rows of the templates", {
      path: "global/pg_filenode.map",
    });
  }
  const oids = all.difference(new Set(templates));
  const names = new Map<string, number[]>();
  for (const { name, oid } of rows) {
    if (!oids.has(oid)) continue;
    const found = names.get(name) ?? [];
    if (!found.includes(oid)) names.set(name, [...found, oid]);
  }
  return { oids, names, label };
}

function oidsIn(node: ReturnType<DirectoryNode["lookup"]>): number[] {
  if (node?.kind !== "directory") return [];
  return [...node.entries()].filter(({ name, node }) =>
    node.kind === "directory" && /^[1-9]\d{0,9}$/u.test(name)
  ).map(({ name }) => Number(name));
}

function fileOf(directory: ReturnType<DirectoryNode["lookup"]>, name: string): FileNode {
  const file = directory?.kind === "directory" ? fileIn(directory, name) : undefined;
  if (file !== undefined) return file;
  throw new FormatError("Cannot tell databases apart: a file of the catalog is missing", {
    path: `global/${name}`,
  });
}
