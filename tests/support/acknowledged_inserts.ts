/**
 * A client that knows which of its commits the server has acknowledged.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { PostgresServer } from "#tests/support/postgres.ts";
import type { RunningCommand } from "#tests/support/process.ts";

const STATEMENTS_MAX = 200_000;

/**
 * Inserts ascending numbers, each in a transaction of its own, until it is stopped or the server
 * goes away.
 */
export class AcknowledgedInserts {
  readonly #client: RunningCommand;
  readonly #first: number;

  private constructor(client: RunningCommand, first: number) {
    this.#client = client;
    this.#first = first;
  }

  /** Starts inserting behind what the table holds already; makes the table when it is not there. */
  static async start(server: PostgresServer): Promise<AcknowledgedInserts> {
    await server.sql("create table if not exists acknowledged (n int primary key)");
    const text = await server.sql("select coalesce(max(n), 0) + 1 from acknowledged");
    const first = Number(text.trim());
    const lines = Array.from(
      { length: STATEMENTS_MAX },
      (_, i) => `insert into acknowledged values (${first + i});\n\\echo ${first + i}\n`,
    );
    const options = ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", "-"];
    const script = `set synchronous_commit = on;\n${lines.join("")}`;
    return new AcknowledgedInserts(server.startClient("psql", options, script), first);
  }

  /** The last number whose commit was acknowledged; 0 when none was. */
  get last(): number {
    const numbers = this.#client.stdout.split("\n").slice(0, -1);
    const last = Number(numbers.at(-1) ?? 0);
    assert.ok(last === 0 || last === this.#first + numbers.length - 1, "acknowledged in order");
    return last;
  }

  /** Ends the client and returns {@link last}. */
  async end(): Promise<number> {
    this.#client.signalGroup("SIGTERM");
    await this.#client.wait(30_000);
    return this.last;
  }

  /** Asserts that every acknowledged number is there; at most one more may have been on its way. */
  static async assertKept(server: PostgresServer, last: number): Promise<void> {
    const query = "select count(*), coalesce(max(n), 0) from acknowledged";
    const [count, max] = (await server.sql(query)).trim().split("|").map(Number);
    assert.ok(max !== undefined && max >= last, `acknowledged up to ${last}, found ${max}`);
    assert.equal(count, max, "no number is missing");
  }
}
