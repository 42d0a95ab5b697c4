/**
 * The mount's worker is killed under load: after a remount the server recovers and no acknowledged
 * commit is lost.
 *
 * @module
 */

import assert from "node:assert/strict";
import { AcknowledgedInserts } from "#tests/support/acknowledged_inserts.ts";
import {
  assertPagesSound,
  assertPgbenchBalanced,
  assertRelationsSound,
} from "#tests/support/cluster_checks.ts";
import { MountPlace } from "#tests/support/pbkfs.ts";
import { fixtureBackupIds, pgprobackupFixture } from "#tests/support/pgprobackup_fixtures.ts";
import { PostgresServer } from "#tests/support/postgres.ts";
import { storeState } from "#tests/support/walk.ts";

const LOAD_MS = [1500, 3000, 4500];
const FIXTURE = "c-stream-pglz";

function delay(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

/**
 * Loads the server, kills the mount under it, and cleans up what is dead. Returns the last
 * acknowledged number.
 */
async function killUnderLoad(place: MountPlace, loadMs: number): Promise<number> {
  const server = await PostgresServer.start({
    version: 15,
    dataDirectory: place.root,
    // Checkpoints in between, so that the kill meets writes of every kind.
    settings: { checkpoint_timeout: "30s", max_wal_size: "32MB", synchronous_commit: "on" },
  });
  try {
    const inserts = await AcknowledgedInserts.start(server);
    const load = server.startClient("pgbench", [
      "-n",
      "-c",
      "4",
      "-j",
      "2",
      "-T",
      "60",
      "postgres",
    ]);
    await delay(loadMs);
    Deno.kill(place.workerPid(), "SIGKILL");
    const last = await inserts.end();
    assert.ok(last > 0, `nothing was committed\n${server.log}`);
    load.signalGroup("SIGKILL");
    await load.wait(10_000);
    return last;
  } finally {
    await server.kill();
    await place.unmountByForce();
  }
}

Deno.test("a killed worker loses no acknowledged commit", async (test) => {
  const fixture = await pgprobackupFixture(FIXTURE);
  assert.ok(fixture);
  const store = fixture.catalog;
  const backupId = fixtureBackupIds(fixture).at(-1) ?? "";
  const before = await storeState(store);
  await using place = new MountPlace("kill");
  await place.mountForServer({ store, instance: "main", backupId });
  for (const [round, loadMs] of LOAD_MS.entries()) {
    await test.step(`round ${round + 1}`, async () => {
      const last = await killUnderLoad(place, loadMs);
      await place.mountForServer({ store });
      const server = await PostgresServer.start({ version: 15, dataDirectory: place.root });
      try {
        await AcknowledgedInserts.assertKept(server, last);
        await assertPgbenchBalanced(server);
        await assertRelationsSound(server);
      } finally {
        await server.stop();
      }
      await assertPagesSound(server);
    });
  }
  await place.unmount();
  assert.equal(await storeState(store), before, "the store is unchanged");
});
