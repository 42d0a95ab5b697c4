/**
 * A file of SQL, cut into its statements. Quotes, dollar quotes and comments are understood as the
 * server does; a line that begins with `\connect NAME` chooses the database for what follows, as in
 * psql. Other commands of psql are refused, since the server does not know them.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** One statement. */
export interface SqlStatement {
  /** Without the semicolon, and without comments before it. */
  readonly text: string;
  /** Line that it begins on, from 1. */
  readonly line: number;
  /** The database that a `\connect` before it named. */
  readonly database: string | undefined;
}

/** Each is tried at one place, in this order. */
const TOKENS: readonly (readonly [kind: string, pattern: RegExp])[] = [
  ["blank", /\s+/uy],
  ["comment", /--[^\n]*/uy],
  ["escaped", /[eE]'(?:[^'\\]|\\.|'')*'/suy],
  ["quoted", /'(?:[^']|'')*'/uy],
  ["name", /"(?:[^"]|"")*"/uy],
  ["dollar", /(\$(?:[\p{L}_][\p{L}\p{N}_]*)?\$).*?\1/suy],
  ["word", /[\p{L}\p{N}_][\p{L}\p{N}_$]*/uy],
];
const CONNECT = /^\\c(?:onnect)?[ \t]+(?:"((?:[^"]|"")+)"|(\S+))[ \t]*$/u;

/**
 * Cuts SQL into statements.
 *
 * @param path of the file, for messages
 * @throws {FormatError} for a quote or comment without end, and for a command of psql
 */
export function parseStatements(sql: string, path: string): SqlStatement[] {
  const statements: SqlStatement[] = [];
  let database: string | undefined;
  let start: number | undefined;
  let offset = 0;
  const lineOf = (at: number) => sql.slice(0, at).split("\n").length;
  const end = () => {
    if (start !== undefined) {
      const text = sql.slice(start, offset).trimEnd();
      statements.push({ text, line: lineOf(start), database });
    }
    start = undefined;
  };
  while (offset < sql.length) {
    if (sql[offset] === ";") {
      end();
      offset++;
    } else if (sql[offset] === "\\" && start === undefined) {
      const line = sql.slice(offset).split("\n", 1)[0]!;
      database = parseConnect(line.trimEnd(), path, lineOf(offset));
      offset += line.length;
    } else {
      const { kind, size } = tokenAt(sql, offset, path, lineOf);
      if (kind !== "blank" && kind !== "comment") start ??= offset;
      offset += size;
    }
  }
  end();
  return statements;
}

function parseConnect(line: string, path: string, lineNumber: number): string {
  const [, quoted, plain] = CONNECT.exec(line) ?? [];
  const name = quoted?.replaceAll('""', '"') ?? plain;
  if (name !== undefined) return name;
  throw new FormatError(`Cannot use "${line}": of psql's commands only \\connect is known`, {
    code: "sql",
    path: `${path}:${lineNumber}`,
  });
}

function tokenAt(
  sql: string,
  offset: number,
  path: string,
  lineOf: (offset: number) => number,
): { readonly kind: string; readonly size: number } {
  if (sql.startsWith("/*", offset)) {
    const size = commentSize(sql, offset);
    if (size === undefined) throw unended("comment", path, lineOf(offset));
    return { kind: "comment", size };
  }
  for (const [kind, pattern] of TOKENS) {
    pattern.lastIndex = offset;
    const [found] = pattern.exec(sql) ?? [];
    if (found !== undefined) return { kind, size: found.length };
  }
  const character = sql[offset]!;
  if (
    character === "'" || character === '"' ||
    /^\$[\p{L}_]?\w*\$/u.test(sql.slice(offset, offset + 70))
  ) {
    throw unended("quotation", path, lineOf(offset));
  }
  return { kind: "sign", size: character.length };
}

/** Comments of this kind may have others inside. */
function commentSize(sql: string, offset: number): number | undefined {
  const marks = /\/\*|\*\//gu;
  marks.lastIndex = offset;
  let depth = 0;
  for (let found = marks.exec(sql); found !== null; found = marks.exec(sql)) {
    depth += found[0] === "/*" ? 1 : -1;
    if (depth === 0) return marks.lastIndex - offset;
  }
  return undefined;
}

function unended(what: string, path: string, line: number): FormatError {
  return new FormatError(`A ${what} has no end`, { code: "sql", path: `${path}:${line}` });
}
