/**
 * PostgreSQL on mounts that give durability away: `--no-wal` and `--perf-unsafe`.
 *
 * @module
 */

import assert from "node:assert/strict";
import { assertPgbenchBalanced, runPgbench } from "#tests/support/cluster_checks.ts";
import { MountPlace, pbkfsCommand } from "#tests/support/pbkfs.ts";
import { pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer } from "#tests/support/postgres.ts";
import { runCommand } from "#tests/support/process.ts";
import { storeState } from "#tests/support/walk.ts";

const SECONDS = 3;
const BACKUP = { instance: "main", backupId: "TOTXQL" };

async function sampleStore(): Promise<string> {
  const fixture = await pgprobackupFixture("a-stream-none");
  assert.ok(fixture);
  return fixture.catalog;
}

/** Runs a server on the mount from start to stop. */
async function withServer<Result>(
  place: MountPlace,
  use: (server: PostgresServer) => Promise<Result>,
): Promise<Result> {
  const server = await PostgresServer.start({ version: 15, dataDirectory: place.root });
  try {
    const result = await use(server);
    await server.stop();
    return result;
  } catch (error) {
    await server.kill();
    throw error;
  }
}

function countHistory(server: PostgresServer): Promise<string> {
  return server.sql("select count(*) from pgbench_history");
}

/** WAL segments anywhere in a diff directory. */
async function segmentsIn(diff: string): Promise<string[]> {
  const command = ["find", diff, "-type", "f"];
  const { stdout } = await runCommand(command, { timeoutMs: 10_000 });
  return stdout.split("\n").filter((path) => /\/[0-9A-F]{24}$/.test(path));
}

Deno.test("mount --no-wal carries a server over restarts, keeps no WAL, and cannot be mounted again", async () => {
  const store = await sampleStore();
  const before = await storeState(store);
  await using place = new MountPlace("nowal");
  await place.mountForServer({ store, ...BACKUP, options: ["--no-wal"] });
  const rows = await withServer(place, async (server) => {
    await runPgbench(server, SECONDS);
    await server.sql("select pg_switch_wal()");
    await runPgbench(server, SECONDS);
    await assertPgbenchBalanced(server);
    return await countHistory(server);
  });
  assert.equal(await withServer(place, countHistory), rows);
  const wal = [...Deno.readDirSync(`${place.root}/pg_wal`)].filter(({ isFile }) => isFile);
  assert.ok(wal.length > 1, "WAL can be read back while mounted");
  await place.unmount();
  assert.deepEqual(await segmentsIn(place.diff), []);
  const again = ["mount", "-B", store, "-D", place.root, "-d", place.diff, "--wait", "--force"];
  const { code, stderr } = await runCommand(pbkfsCommand(again), {
    timeoutMs: 60_000,
    check: false,
  });
  assert.equal(code, 1);
  assert.match(stderr, /previously mounted with --no-wal and cannot be reused/);
  assert.equal(await storeState(store), before, "the store is unchanged");
});

Deno.test("mount --perf-unsafe keeps everything over a clean unmount", async () => {
  const store = await sampleStore();
  await using place = new MountPlace("unsafe");
  await place.mountForServer({ store, ...BACKUP, options: ["--perf-unsafe"] });
  const rows = await withServer(place, async (server) => {
    await runPgbench(server, SECONDS);
    return await countHistory(server);
  });
  assert.ok(Deno.statSync(`${place.diff}/.pbkfs-dirty`).isFile);
  await place.unmount();
  assert.throws(() => Deno.statSync(`${place.diff}/.pbkfs-dirty`), Deno.errors.NotFound);
  await place.mountForServer({ store });
  assert.equal(await withServer(place, countHistory), rows);
  await place.unmount();
});
