/**
 * A connection to a server on this host, over its socket: plain queries, one at a time.
 *
 * @module
 */

import { FormatError, ProtocolError } from "#src/errors.ts";
import {
  type ErrorFields,
  queryMessage,
  type ServerMessage,
  startupMessage,
  takeMessage,
  terminateMessage,
} from "./format/messages.ts";

/** Where a server listens, and who uses which database. */
export interface ConnectionTarget {
  /** Directory of the socket. */
  readonly socketDirectory: string;
  readonly port: number;
  readonly user: string;
  readonly database: string;
}

/** What one statement gave. */
export interface StatementResult {
  /** Names of the columns; undefined for a statement that has no result. */
  readonly columns: readonly string[] | undefined;
  /** Values as text; at most {@link ROWS_MAX}. */
  readonly rows: readonly (readonly (string | null)[])[];
  /** Rows that there were. */
  readonly rowCount: number;
}

/** Rows of a result that are kept. */
export const ROWS_MAX = 1_000_000;

const READ_SIZE = 64 << 10;

/** The server has refused a statement or a connection. `code` is its SQLSTATE. */
export class SqlError extends ProtocolError {
  /** More about it, in the server's words. */
  readonly detail: string | undefined;
  /** Where the server was: the code's callers inside of the server, one a line. */
  readonly context: string | undefined;

  constructor(fields: ErrorFields) {
    super(fields["M"] ?? "The server failed", { code: fields["C"] ?? "XX000", hint: fields["H"] });
    this.detail = fields["D"];
    this.context = fields["W"];
  }
}

/** See the head of the module. Disposing of it closes it. */
export class PostgresConnection implements Disposable {
  readonly #connection: Deno.Conn;
  #buffer = new Uint8Array(0);

  private constructor(connection: Deno.Conn) {
    this.#connection = connection;
  }

  /**
   * Connects without a password.
   *
   * @throws {SqlError} when the server refuses it
   * @throws {ProtocolError} `not-listening` when there is none; when the connection breaks
   */
  static async open(target: ConnectionTarget): Promise<PostgresConnection> {
    const { socketDirectory, port, user, database } = target;
    const path = `${socketDirectory}/.s.PGSQL.${port}`;
    let socket: Deno.Conn;
    try {
      socket = await Deno.connect({ transport: "unix", path });
    } catch (cause) {
      throw new ProtocolError(`No server listens on "${path}"`, { code: "not-listening", cause });
    }
    const connection = new PostgresConnection(socket);
    try {
      await connection.#send(startupMessage({
        user,
        database,
        application_name: "pbkfs",
        client_encoding: "UTF8",
      }));
      await connection.#collect();
      return connection;
    } catch (error) {
      connection[Symbol.dispose]();
      throw error;
    }
  }

  /**
   * Runs one statement.
   *
   * @throws {SqlError} when it fails; the connection can be used again
   * @throws {ProtocolError} when the connection breaks
   */
  async query(sql: string): Promise<StatementResult> {
    await this.#send(queryMessage(sql));
    return await this.#collect();
  }

  [Symbol.dispose](): void {
    try {
      // Polite, and not worth waiting for.
      void this.#connection.write(terminateMessage()).catch(() => {});
      this.#connection.close();
    } catch {
      // It had broken before.
    }
  }

  /** Reads until the server is ready for the next statement. */
  async #collect(): Promise<StatementResult> {
    let columns: readonly string[] | undefined;
    const rows: (readonly (string | null)[])[] = [];
    let rowCount = 0;
    let error: SqlError | undefined;
    for (;;) {
      const message = await this.#next(error);
      if (message.type === "ready") {
        if (error !== undefined) throw error;
        return { columns, rows, rowCount };
      } else if (message.type === "columns") {
        columns = message.names;
      } else if (message.type === "row") {
        rowCount++;
        if (rows.length < ROWS_MAX) rows.push(message.values);
      } else if (message.type === "error") {
        error = new SqlError(message.fields);
      } else if (message.type === "authentication" && message.method !== 0) {
        throw new ProtocolError("The server asks for a password although its rules want none");
      }
    }
  }

  /** @param error what the server has said before, which explains the end of the connection */
  async #next(error: SqlError | undefined): Promise<ServerMessage> {
    for (;;) {
      const taken = takeMessage(this.#buffer);
      if (taken !== undefined) {
        this.#buffer = this.#buffer.subarray(taken.size);
        return taken.message;
      }
      await this.#readMore(error);
    }
  }

  async #readMore(error: SqlError | undefined): Promise<void> {
    const part = new Uint8Array(READ_SIZE);
    let count: number | null;
    try {
      count = await this.#connection.read(part);
    } catch (cause) {
      throw error ?? connectionLost(cause);
    }
    if (count === null) throw error ?? connectionLost(undefined);
    const joined = new Uint8Array(this.#buffer.length + count);
    joined.set(this.#buffer);
    joined.set(part.subarray(0, count), this.#buffer.length);
    this.#buffer = joined;
  }

  async #send(bytes: Uint8Array): Promise<void> {
    try {
      for (let rest = bytes; rest.length > 0;) {
        rest = rest.subarray(await this.#connection.write(rest));
      }
    } catch (cause) {
      throw connectionLost(cause);
    }
  }
}

function connectionLost(cause: unknown): Error {
  if (cause instanceof FormatError) return cause;
  return new ProtocolError("The server has ended the connection", {
    code: "connection-lost",
    cause,
  });
}

/** A name as SQL has it. */
export function sqlName(name: string): string {
  return `"${name.replaceAll('"', '""')}"`;
}

/** A text as a constant of SQL. */
export function sqlText(text: string): string {
  return `'${text.replaceAll("'", "''")}'`;
}
