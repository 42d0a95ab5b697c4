/**
 * One database session that lasts over several statements, as a base backup needs it.
 *
 * @module
 */

import { clientProgram } from "#tests/support/postgres_binaries.ts";
import { RunningCommand, waitUntil } from "#tests/support/process.ts";

/** psql, fed statement by statement. */
export class PsqlSession {
  readonly #psql: RunningCommand;
  #read = 0;
  #count = 0;

  /** Opens a session; `connection` as `PostgresServer.connection` gives it. */
  constructor(connection: readonly string[], database = "postgres") {
    const options = ["-X", "-q", "-At", "-v", "ON_ERROR_STOP=1", "-d", database];
    const command = [clientProgram("psql"), ...connection, ...options];
    this.#psql = new RunningCommand(command, { interactive: true });
  }

  /** Runs statements; returns what they printed. Throws with psql's message when one fails. */
  async run(script: string, timeoutMs = 60_000): Promise<string> {
    const marker = `statement-${this.#count++}-has-ended`;
    this.#psql.write(`${script};\n\\echo ${marker}\n`);
    let ended = false;
    this.#psql.ended.then(() => ended = true, () => ended = true);
    const end = () => this.#psql.stdout.indexOf(`${marker}\n`, this.#read);
    const isDone = () => {
      if (end() < 0 && ended) throw new Error(`psql failed at "${script}": ${this.#psql.stderr}`);
      return end() >= 0;
    };
    await waitUntil(isDone, timeoutMs, () => `"${script}"\n${this.#psql.stderr}`, 10);
    const output = this.#psql.stdout.slice(this.#read, end());
    this.#read = end() + marker.length + 1;
    return output;
  }

  /** Ends the session. */
  async close(): Promise<void> {
    this.#psql.closeInput();
    await this.#psql.wait(10_000);
  }
}
