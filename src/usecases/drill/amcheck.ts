/**
 * Heaps and indexes of all databases, checked by the server's extension amcheck: each table for
 * rows that cannot be, each B-tree for its order, and for every row of its table.
 *
 * @module
 */

import { type PostgresConnection, SqlError, sqlName } from "#src/postgres/connection.ts";
import { type CheckEnd, Findings, Skipped } from "./report.ts";
import type { Relation } from "./relations.ts";

/** What is checked by whom. */
export interface AmcheckRequest {
  /** What there is, by database. */
  readonly relations: ReadonlyMap<string, readonly Relation[]>;
  /** Connections at a time. */
  readonly jobs: number;
  /** Opens one. */
  readonly connect: (database: string) => Promise<PostgresConnection>;
  readonly signal: AbortSignal | undefined;
  readonly onRelations: (count: number) => void;
}

/** Schema of the extension where we make it. */
const SCHEMA = "pbkfs_drill";

/** Checks them. @throws {ProtocolError} when the server is gone */
export async function runAmcheck(request: AmcheckRequest): Promise<CheckEnd | Skipped> {
  const findings = new Findings();
  const counts = { databases: 0, tables: 0, indexes: 0, otherIndexes: 0 };
  const first = [...request.relations.keys()][0];
  if (first === undefined) return new Skipped("there is no database");
  if (!await hasExtension(request, first)) {
    return new Skipped("the server's programs come without the extension amcheck");
  }
  for (const [database, relations] of request.relations) {
    counts.databases++;
    let schema: string;
    try {
      schema = await prepare(request, database);
    } catch (error) {
      if (!(error instanceof SqlError)) throw error;
      findings.add({ message: describeSqlError(error), database });
      continue;
    }
    const queue = relations.filter(isCheckable);
    counts.tables += queue.filter(({ kind }) => kind === "table").length;
    counts.indexes += queue.filter(({ kind }) => kind === "index").length;
    counts.otherIndexes += relations.filter((each) =>
      each.kind === "index" && !isCheckable(each)
    ).length;
    const workers = Array.from({ length: Math.min(request.jobs, queue.length) }, async () => {
      using connection = await request.connect(database);
      for (let next = queue.shift(); next !== undefined; next = queue.shift()) {
        request.signal?.throwIfAborted();
        await checkRelation(connection, database, schema, next, findings);
        request.onRelations(counts.tables + counts.indexes - queue.length);
      }
    });
    await Promise.all(workers);
  }
  const { databases, tables, indexes, otherIndexes } = counts;
  const rest = otherIndexes === 0 ? "" : `; ${otherIndexes} other indexes cannot be checked`;
  const summary = `${tables} tables and ${indexes} B-tree indexes of ${databases} databases${rest}`;
  return { summary, counts, findings };
}

async function hasExtension({ connect }: AmcheckRequest, database: string): Promise<boolean> {
  using connection = await connect(database);
  const { rows } = await connection.query(
    "select from pg_available_extensions where name = 'amcheck'",
  );
  return rows.length > 0;
}

/** @returns the schema of the extension in a database, as SQL has it */
async function prepare({ connect }: AmcheckRequest, database: string): Promise<string> {
  using connection = await connect(database);
  const { rows } = await connection.query(
    "select nspname from pg_extension join pg_namespace n on n.oid = extnamespace " +
      "where extname = 'amcheck'",
  );
  if (rows.length > 0) return sqlName(rows[0]![0]!);
  await connection.query(`create schema ${SCHEMA}`);
  await connection.query(`create extension amcheck schema ${SCHEMA}`);
  return SCHEMA;
}

function isCheckable({ kind, accessMethod }: Relation): boolean {
  return accessMethod === (kind === "table" ? "heap" : "btree");
}

async function checkRelation(
  connection: PostgresConnection,
  database: string,
  schema: string,
  { oid, kind, name: relation, file }: Relation,
  findings: Findings,
): Promise<void> {
  try {
    if (kind === "index") {
      await connection.query(`select ${schema}.bt_index_check(${oid}::regclass, true)`);
      return;
    }
    const { rows } = await connection.query(
      `select blkno, offnum, attnum, msg from ${schema}.verify_heapam(${oid}::regclass, check_toast => true)`,
    );
    for (const [block, row, column, message] of rows) {
      const where = [row === null ? "" : `row ${row}`, column === null ? "" : `column ${column}`]
        .filter((part) => part !== "").join(", ");
      findings.add({
        message: where === "" ? message! : `${where}: ${message}`,
        database,
        relation,
        file,
        block: block === null ? undefined : Number(block),
      });
    }
  } catch (error) {
    if (!(error instanceof SqlError)) throw error;
    findings.add({
      message: describeSqlError(error),
      database,
      relation,
      file,
      ...placeIn(error.message),
    });
  }
}

/** A server's message and its detail. */
export function describeSqlError({ message, detail }: SqlError): string {
  return detail === undefined ? message : `${message}: ${detail}`;
}

/** The page that a server's message names: `invalid page in block 3 of relation base/5/16396`. */
export function placeIn(message: string): { file?: string; block?: number } {
  const [, block, file] =
    /blocks? (\d+)(?:\.\.\d+)? (?:of|in) (?:relation|file) "?((?:base|global|pg_tblspc)\/[\w./]+)/u
      .exec(message) ?? [];
  return file === undefined ? {} : { file, block: Number(block) };
}
