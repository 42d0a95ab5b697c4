/**
 * PostgreSQL on the mount and on a plain copy: a count over the largest table, pgbench.
 *
 * @module
 */

import { PostgresServer } from "#tests/support/postgres.ts";
import { dropCaches } from "../host.ts";
import type { Report } from "../report.ts";

const ROUNDS = 2;
const PGBENCH_SECONDS = 10;
const CLIENTS = ["-c", "4", "-j", "2"];
const COUNT = "\\timing on\nselect count(*) from pgbench_accounts;\n";

interface Round {
  readonly firstCountMs: number;
  readonly secondCountMs: number;
  readonly readOnlyTps: number;
  readonly readWriteTps: number;
}

/** Time of a count over the largest table, as psql measures it. */
export async function countMs(server: PostgresServer): Promise<number> {
  const output = await server.sql(COUNT);
  const time = /^Time: ([\d.]+) ms/m.exec(output)?.[1];
  if (time === undefined) throw new Error(`psql gave no time: ${output}`);
  return Number(time);
}

/** What pgbench reaches with four clients. @param args of pgbench besides */
export async function pgbenchTps(server: PostgresServer, ...args: string[]): Promise<number> {
  const { stdout } = await server.client(
    "pgbench",
    ["-n", "-T", String(PGBENCH_SECONDS), ...CLIENTS, ...args, "postgres"],
    PGBENCH_SECONDS * 1000 + 60_000,
  );
  const value = /^tps = ([\d.]+)/m.exec(stdout)?.[1];
  if (value === undefined) throw new Error(`pgbench gave no tps: ${stdout}`);
  return Number(value);
}

/**
 * Runs a server on the directory (which gets written to). Durability is on: it is part of what is
 * measured.
 */
async function measure(dataDirectory: string): Promise<Round> {
  const server = await PostgresServer.start({
    version: 15,
    dataDirectory,
    settings: { port: "5432" },
  });
  try {
    await dropCaches();
    const firstCountMs = await countMs(server);
    const secondCountMs = await countMs(server);
    const readOnlyTps = await pgbenchTps(server, "-S");
    const readWriteTps = await pgbenchTps(server);
    return { firstCountMs, secondCountMs, readOnlyTps, readWriteTps };
  } finally {
    await server.stop();
  }
}

/** Measures both sides by turns and adds the best of {@link ROUNDS} for each. */
export async function benchmarkPostgres(
  directories: { readonly mount: string; readonly plain: string },
  report: Report,
): Promise<void> {
  const plain: Round[] = [];
  const mount: Round[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    plain.push(await measure(directories.plain));
    mount.push(await measure(directories.mount));
  }
  const add = (
    name: string,
    unit: string,
    key: keyof Round,
    choose: (...values: number[]) => number,
    target: string,
  ) =>
    report.add({
      name,
      unit,
      mount: choose(...mount.map((round) => round[key])),
      plain: choose(...plain.map((round) => round[key])),
      target,
    });
  add("first count(*), cold", "ms", "firstCountMs", Math.min, "<= 2");
  add("second count(*)", "ms", "secondCountMs", Math.min, "<= 1.2");
  add("pgbench read-only", "tps", "readOnlyTps", Math.max, ">= 0.95");
  add("pgbench read-write, fsync on", "tps", "readWriteTps", Math.max, ">= 0.7");
}
