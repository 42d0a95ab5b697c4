import assert from "node:assert/strict";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { ageChunks, assertSound, groupOf } from "#tests/support/pbs_activity.ts";
import { Random } from "#tests/support/property_random.ts";
import { ServedScene, writeDynamic } from "./_served_scene.ts";
import { backUpOnce, ChunkPool, isInTheWay } from "./_session_activity.ts";
import { listenForSessions, openSession, type SessionAddress } from "./_tls_sessions.ts";

const CLIENTS = 16;
/** Longer by hand: `PBKFS_TEST_SECONDS=600`. */
const SECONDS = Number(Deno.env.get("PBKFS_TEST_SECONDS") ?? 15);
const POOL = { poolSize: 200, chunkBytes: 60_000, chunksMax: 30 };
const KEPT = 3;

/** A session, as soon as the server has noticed that the group's last one is over. */
async function openBackup(address: SessionAddress, id: string, time: number) {
  for (;;) {
    try {
      return await openSession(address, "backup", id, time);
    } catch (error) {
      if (!/unable to acquire lock/.test(String(error))) throw error;
      await new Promise((resolve) => setTimeout(resolve, 5));
    }
  }
}

Deno.test("16 clients back up over TLS at once while garbage is collected and snapshots are pruned, and all verify", async () => {
  await using scene = new ServedScene();
  const { store } = scene;
  const { listener, address } = await listenForSessions(store);
  const pool = new ChunkPool(POOL);
  // Garbage from long ago, of which the clients may need every chunk at any moment.
  const old = await scene.backup({ id: "old" });
  const chunks = Array.from({ length: POOL.poolSize }, (_, number) => pool.get(number + 1));
  await writeDynamic(old, "old.didx", chunks);
  await old.close();
  ageChunks(scene.path, () => false);
  const end = performance.now() + SECONDS * 1000;
  const isOver = () => performance.now() >= end;
  const ids = Array.from({ length: CLIENTS }, (_, index) => `client${index}`);
  const finished = new Map<string, number>();
  const collected = { count: 0, removed: 0, forgotten: 0 };

  const backUp = async (id: string, index: number): Promise<void> => {
    const random = new Random(index + 1);
    let time = 1_700_000_000;
    do {
      const session = await openBackup(address, id, ++time);
      if (!await backUpOnce(session, pool, random, id, time)) continue;
      finished.set(id, time);
    } while (!isOver() || !finished.has(id));
  };
  const collect = async (): Promise<void> => {
    do {
      const options = { keepMinutes: 0, checkAccessTimes: false };
      const { removedChunks } = await store.callAlone("collectGarbage", options);
      collected.count++;
      collected.removed += removedChunks;
    } while (!isOver());
  };
  const prune = async (): Promise<void> => {
    do {
      for (const id of ids) {
        if (!finished.has(id)) continue;
        const snapshots = await store.call("snapshots", groupOf(id));
        for (const snapshot of snapshots.slice(0, -KEPT)) {
          try {
            await store.call("forget", snapshot);
            collected.forgotten++;
          } catch (error) {
            // It is the base of a backup, or has just been given up by its client.
            if (!isInTheWay(error)) throw error;
          }
        }
      }
      await new Promise((resolve) => setTimeout(resolve, 20));
    } while (!isOver());
  };
  await Promise.all([...ids.map(backUp), collect(), prune()]);
  await listener.close();

  assert.equal(finished.size, CLIENTS);
  assert.ok(collected.removed > 0 && collected.forgotten > 0, JSON.stringify(collected));
  const datastore = scene.open();
  assert.equal(datastore.groups(ROOT_NAMESPACE).length, CLIENTS + 1);
  for (const [id, time] of finished) {
    assert.equal(datastore.snapshotInfo({ group: groupOf(id), time }).isFinished, true);
  }
  assertSound(datastore);
  datastore.close();
});
