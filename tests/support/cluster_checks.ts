/**
 * Whether a cluster is sound: asked of the running server and of its pages after it was stopped.
 *
 * @module
 */

import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { checkPageChecksums } from "#tests/support/pbkfs.ts";
import type { PostgresServer } from "#tests/support/postgres.ts";
import { clientProgram, serverBinaries } from "#tests/support/postgres_binaries.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";

const PAGE_CHECK = fileURLToPath(new URL("./page_check_child.ts", import.meta.url));

/** Checks heaps and indexes of all databases with amcheck. */
export async function assertRelationsSound(server: PostgresServer): Promise<void> {
  const options = ["--install-missing", "--all", "--heapallindexed"];
  const { stdout } = await server.client("pg_amcheck", options, 180_000);
  assert.equal(stdout, "", "pg_amcheck reports nothing");
}

/** pgbench keeps these four sums equal in every transaction. */
export async function assertPgbenchBalanced(server: PostgresServer): Promise<void> {
  const sums = await server.sql(
    `select (select sum(abalance) from pgbench_accounts),
            (select sum(tbalance) from pgbench_tellers),
            (select sum(bbalance) from pgbench_branches)`,
  );
  const [accounts, tellers, branches] = sums.trim().split("|");
  assert.equal(tellers, accounts, "balance of tellers and accounts");
  assert.equal(branches, accounts, "balance of branches and accounts");
}

/**
 * Checks the checksum of every page of a stopped cluster, with the server's own tool where there is
 * one.
 */
export async function assertPagesSound(server: PostgresServer): Promise<void> {
  const binaries = await serverBinaries(server.version);
  const program = clientProgram("pg_checksums");
  if (program.startsWith(binaries)) {
    await checkPageChecksums(program, server.dataDirectory);
    return;
  }
  const command = denoRunCommand(["--allow-ffi"], PAGE_CHECK, [server.dataDirectory]);
  const { code, stdout } = await runCommand(command, { timeoutMs: 120_000, check: false });
  assert.equal(code, 0, stdout);
  assert.ok(Number(stdout.trim()) > 500, `only ${stdout.trim()} pages checked`);
}

/**
 * Runs pgbench read-write with four clients. Initializes its tables first where they are missing.
 */
export async function runPgbench(server: PostgresServer, seconds: number): Promise<void> {
  const there = await server.sql("select to_regclass('pgbench_history') is not null");
  if (there.trim() === "f") {
    await server.client("pgbench", ["-i", "-q", "-s", "1", "postgres"], 120_000);
  }
  const load = ["-n", "-c", "4", "-j", "2", "-T", String(seconds), "postgres"];
  const { stdout } = await server.client("pgbench", load, seconds * 1000 + 60_000);
  assert.match(stdout, /number of failed transactions: 0 /);
}
