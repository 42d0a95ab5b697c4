/**
 * PostgreSQL on the mount of each golden chain's last backup: the data is right, everything is
 * sound, writes last over a remount, and the store stays as it was.
 *
 * @module
 */

import assert from "node:assert/strict";
import {
  assertPagesSound,
  assertPgbenchBalanced,
  assertRelationsSound,
  runPgbench,
} from "#tests/support/cluster_checks.ts";
import { MountPlace, type MountRequest } from "#tests/support/pbkfs.ts";
import {
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer } from "#tests/support/postgres.ts";
import type { PostgresVersion } from "#tests/support/postgres_binaries.ts";
import { runCommand } from "#tests/support/process.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { storeState } from "#tests/support/walk.ts";

const SECONDS = 5;
/** One chain gets a longer load. */
const LONG_LOAD = new Map([["b-stream-zlib", 30]]);
const VERSIONS: ReadonlyMap<string, PostgresVersion> = new Map([["j-pg17-stream", 17]]);
const ARCHIVE_FIXTURE = "e-archive-zlib";

function readExpected(fixture: PgProbackupFixture, name: string): string {
  return Deno.readTextFileSync(`${fixture.expected}/${name}`);
}

/**
 * Recovery from the catalog's archive; the server's user cannot enter the catalog, so it gets a
 * copy.
 */
async function archiveOptions(
  fixture: PgProbackupFixture,
  archive: TempDirectory,
): Promise<string[]> {
  const copy = ["cp", "-r", `${fixture.catalog}/wal/main`, archive.join("wal")];
  await runCommand(copy, { timeoutMs: 60_000 });
  await runCommand(["chmod", "-R", "a+rX", archive.path], { timeoutMs: 60_000 });
  const segment = `${archive.join("wal")}/%f`;
  const restoreCommand =
    `if [ -f ${segment} ]; then cp ${segment} %p; else gunzip -c ${segment}.gz > %p; fi`;
  return [
    `restore_command=${restoreCommand}`,
    "recovery_target=immediate",
    "recovery_target_action=promote",
  ].flatMap((setting) => ["--config", setting]);
}

async function startAndStop(
  place: MountPlace,
  version: PostgresVersion,
  use: (server: PostgresServer) => Promise<void>,
): Promise<void> {
  const server = await PostgresServer.start({ version, dataDirectory: place.root });
  try {
    await use(server);
    await server.stop();
  } catch (error) {
    await server.kill();
    throw error;
  }
  await assertPagesSound(server);
}

async function runOnMount(
  fixture: PgProbackupFixture,
  request: MountRequest,
  expected: string,
): Promise<void> {
  const version = VERSIONS.get(fixture.name) ?? 15;
  const queries = readExpected(fixture, "queries.sql");
  await using place = new MountPlace("postgres");
  await place.mountForServer(request);
  let rows = "";
  await startAndStop(place, version, async (server) => {
    assert.equal(await server.sql(queries), expected);
    await assertRelationsSound(server);
    await runPgbench(server, LONG_LOAD.get(fixture.name) ?? SECONDS);
    await assertPgbenchBalanced(server);
    rows = await server.sql("select count(*), sum(delta) from pgbench_history");
  });
  await place.unmount();
  await place.mountForServer({ store: fixture.catalog });
  await startAndStop(place, version, async (server) => {
    assert.equal(await server.sql("select count(*), sum(delta) from pgbench_history"), rows);
    await assertPgbenchBalanced(server);
    await assertRelationsSound(server);
  });
  await place.unmount();
}

// Catalogs for benchmarks come without expected results.
for (const name of pgprobackupFixtureNames().filter((each) => !each.startsWith("bench-"))) {
  const major = VERSIONS.get(name) ?? 15;
  Deno.test(`PostgreSQL ${major} runs on the last backup of ${name}`, async () => {
    const fixture = await pgprobackupFixture(name);
    assert.ok(fixture);
    const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
    const isArchive = name === ARCHIVE_FIXTURE;
    const expected = readExpected(fixture, `sql-${isArchive ? "immediate-" : ""}${backupId}.txt`);
    using archive = new TempDirectory("archive");
    const options = isArchive ? await archiveOptions(fixture, archive) : [];
    const before = await storeState(fixture.catalog);
    await runOnMount(
      fixture,
      { store: fixture.catalog, instance: "main", backupId, options },
      expected,
    );
    assert.equal(await storeState(fixture.catalog), before, "the store is unchanged");
  });
}
