/**
 * Assertions: statements of SQL that tell whether the data are as they should be.
 *
 * A statement without a result passes when it does not fail. One with a result passes when each of
 * its rows is one value, and that is true. So `select count(*) > 0 from orders` passes when there
 * are orders, and a query for what must not be passes when it finds nothing.
 *
 * @module
 */

import {
  type PostgresConnection,
  SqlError,
  type StatementResult,
} from "#src/postgres/connection.ts";
import { readWholeFile } from "#src/io/files/whole_file.ts";
import { parseStatements } from "#src/postgres/format/statements.ts";
import { describeSqlError, placeIn } from "./amcheck.ts";
import { type CheckEnd, Findings } from "./report.ts";

/** A file of assertions. */
export interface AssertionFile {
  /** For messages. */
  readonly path: string;
  /** Its statements. */
  readonly text: string;
}

/** Which are run where. */
export interface AssertionRequest {
  readonly files: readonly AssertionFile[];
  /** Where a file names no database. */
  readonly database: string;
  readonly connect: (database: string) => Promise<PostgresConnection>;
  readonly signal: AbortSignal | undefined;
}

const FILE_SIZE_MAX = 16 << 20;
const VALUES_SHOWN_MAX = 8;
const TEXT_SHOWN_MAX = 120;

/**
 * Reads a file of assertions.
 *
 * @param name how messages name it
 * @throws {OsError} @throws {LimitError}
 */
export function readAssertions(path: string, name = path): AssertionFile {
  return { path: name, text: new TextDecoder().decode(readWholeFile(path, FILE_SIZE_MAX)) };
}

/** Refuses files that cannot be cut into statements. @throws {FormatError} */
export function requireStatements(files: readonly AssertionFile[]): void {
  for (const { path, text } of files) parseStatements(text, path);
}

/**
 * Runs all of them, in their order; those of one file and database in one session.
 *
 * @throws {ProtocolError} when the server is gone
 */
export async function runAssertions(request: AssertionRequest): Promise<CheckEnd> {
  const findings = new Findings();
  let statements = 0;
  for (const { path, text } of request.files) {
    const connections = new Map<string, PostgresConnection>();
    try {
      for (const statement of parseStatements(text, path)) {
        request.signal?.throwIfAborted();
        statements++;
        const { database = request.database } = statement;
        const message = await problemOf(request, connections, database, statement.text);
        if (message === undefined) continue;
        const place = { database, statement: `${path}:${statement.line}` };
        findings.add({
          message: `${message} (${shorten(statement.text)})`,
          ...place,
          ...placeIn(message),
        });
      }
    } finally {
      for (const connection of connections.values()) connection[Symbol.dispose]();
    }
  }
  return { summary: `${statements} statements`, counts: { statements }, findings };
}

async function problemOf(
  { connect }: AssertionRequest,
  connections: Map<string, PostgresConnection>,
  database: string,
  sql: string,
): Promise<string | undefined> {
  try {
    let connection = connections.get(database);
    if (connection === undefined) connections.set(database, connection = await connect(database));
    return problemIn(await connection.query(sql));
  } catch (error) {
    if (error instanceof SqlError) return describeSqlError(error);
    throw error;
  }
}

/** What is wrong with a result; undefined when it is as it should be. */
function problemIn({ columns, rows, rowCount }: StatementResult): string | undefined {
  const bad = columns === undefined
    ? undefined
    : rows.find((values) => values.length !== 1 || values[0] !== "t");
  if (bad === undefined) return undefined;
  const shown = bad.slice(0, VALUES_SHOWN_MAX)
    .map((value, index) => `${columns![index]} = ${value === null ? "NULL" : shorten(value)}`);
  const more = rowCount > 1 ? `, the first such of ${rowCount} rows` : "";
  return `not true: ${shown.join(", ")}${more}`;
}

function shorten(text: string): string {
  const line = text.replace(/\s+/gu, " ");
  return line.length <= TEXT_SHOWN_MAX ? line : `${line.slice(0, TEXT_SHOWN_MAX)}…`;
}
