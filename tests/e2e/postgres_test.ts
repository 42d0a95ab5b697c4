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
import { isHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { assertEverythingDurable } from "#tests/overlay/hydration/_hydrated.ts";
import { MountPlace, type MountRequest, runPbkfs } from "#tests/support/pbkfs.ts";
import {
  fixtureBackupIds,
  type PgProbackupFixture,
  pgprobackupFixture,
  pgprobackupFixtureNames,
} from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer } from "#tests/support/postgres.ts";
import { type PostgresVersion, serverBinaries } from "#tests/support/postgres_binaries.ts";
import { runCommand } from "#tests/support/process.ts";
import { type PlacedTablespace, placedTablespaces } from "./_promotion.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { storeState } from "#tests/support/walk.ts";

const SECONDS = 5;
/** One chain gets a longer load. */
const LONG_LOAD = new Map([["b-stream-zlib", 30]]);
const VERSIONS: ReadonlyMap<string, PostgresVersion> = new Map([["j-pg17-stream", 17]]);
/** These chains are brought into the diff meanwhile. */
const HYDRATED: ReadonlySet<string> = new Set(["d-stream-mixed", "f-tablespace-external"]);
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

/** @param stop instead of the test's own way to stop it */
async function startAndStop(
  dataDirectory: string,
  version: PostgresVersion,
  use: (server: PostgresServer) => Promise<void>,
  stop = (server: PostgresServer) => server.stop(),
): Promise<PostgresServer> {
  const server = await PostgresServer.start({ version, dataDirectory });
  try {
    await use(server);
    await stop(server);
  } catch (error) {
    await server.kill();
    throw error;
  }
  return server;
}

async function runOnMount(
  fixture: PgProbackupFixture,
  request: MountRequest,
  expected: string,
): Promise<void> {
  const version = VERSIONS.get(fixture.name) ?? 15;
  const queries = readExpected(fixture, "queries.sql");
  const hydrates = HYDRATED.has(fixture.name);
  await using place = new MountPlace("postgres");
  const { options = [] } = request;
  await place.mountForServer({
    ...request,
    options: hydrates ? [...options, "--hydrate"] : options,
  });
  let rows = "";
  const load = async (server: PostgresServer) => {
    assert.equal(await server.sql(queries), expected);
    await assertRelationsSound(server);
    await runPgbench(server, LONG_LOAD.get(fixture.name) ?? SECONDS);
    await assertPgbenchBalanced(server);
    rows = await server.sql("select count(*), sum(delta) from pgbench_history");
  };
  const check = async (server: PostgresServer) => {
    assert.equal(await server.sql("select count(*), sum(delta) from pgbench_history"), rows);
    await assertPgbenchBalanced(server);
    await assertRelationsSound(server);
  };
  if (hydrates) {
    const promoted = `${place.diff}-promoted`;
    const tablespaces = await placedTablespaces(request.store, request.backupId!, promoted);
    const promoteIt = (server: PostgresServer) => promote(place, promoted, tablespaces, server);
    await startAndStop(place.root, version, load, promoteIt);
    await assertPagesSound(await startAndStop(promoted, version, check));
    return;
  }
  await assertPagesSound(await startAndStop(place.root, version, load));
  await place.unmount();
  await place.mountForServer({ store: fixture.catalog });
  await assertPagesSound(await startAndStop(place.root, version, check));
  await place.unmount();
}

/** The running server's directory becomes one of its own, without the mount and the backup. */
async function promote(
  place: MountPlace,
  target: string,
  tablespaces: readonly PlacedTablespace[],
  server: PostgresServer,
): Promise<void> {
  const mapping = tablespaces.flatMap(({ options }) => options);
  const pgCtl = `${await serverBinaries(server.version)}/pg_ctl`;
  const command = ["promote", "-D", place.root, target, "--finish", ...mapping];
  const busy = await runPbkfs(command).catch(String);
  assert.match(String(busy), /runs a server/);
  assertHydrated(place.diff);
  const { stdout } = await runPbkfs([...command, "--pg-ctl", pgCtl, "--format", "json"]);
  await server.waitForEnd(10_000);
  const summary = JSON.parse(stdout);
  assert.equal(summary.target, target);
  assert.deepEqual(summary.tablespaces, tablespaces.map(({ path }) => path));
  assert.throws(() => Deno.statSync(place.diff), Deno.errors.NotFound);
  assert.throws(() => Deno.statSync(`${target}/.pbkfs`), Deno.errors.NotFound);
}

function assertHydrated(diffPath: string): void {
  const { nonce } = JSON.parse(Deno.readTextFileSync(`${diffPath}/.pbkfs-binding.json`));
  assert.ok(isHydrated(diffPath, Uint8Array.fromHex(nonce)));
  assertEverythingDurable(`${diffPath}/data`, Uint8Array.fromHex(nonce));
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
