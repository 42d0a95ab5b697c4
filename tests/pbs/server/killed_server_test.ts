import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { StoreThreads } from "#src/pbs/server/served_store.ts";
import { startBackupSession } from "#src/pbs/server/sessions.ts";
import { killedChildren } from "#tests/support/killed_children.ts";
import { assertSound, groupOf, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { denoRunCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { backUpOnce, ChunkPool } from "./_session_activity.ts";

const CHILD = fileURLToPath(new URL("./_session_activity_child.ts", import.meta.url));
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-sys"];
const KILLS = 10;
const WORK_MS_MAX = 400;
const POOL = { poolSize: 40, chunkBytes: 4096, chunksMax: 20 };

/** The next backup of each group, by a server that was started anew. */
async function backUpAll(path: string, kill: number): Promise<void> {
  const threads = new StoreThreads({ count: 2 });
  const store = threads.serve({ name: "main", path, syncLevel: "none" });
  // Never gives up: see the draws of the activity.
  const random = Object.assign(new Random(kill), { oneIn: () => false });
  for (const id of ["a", "b", "c"]) {
    const time = 1_800_000_000 + kill;
    const session = await startBackupSession({
      store,
      authId: "tester@pbs",
      group: groupOf(id),
      time,
      isBenchmark: false,
      isDebug: false,
    }, new AbortController().signal);
    assert.equal(await backUpOnce(session, new ChunkPool(POOL), random, id, time), true);
  }
  await threads.close();
}

Deno.test("A datastore is sound after servers were killed with backups under way, and the next ones work", async () => {
  using home = new TempDirectory("killed");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  const random = new Random(6);
  let leftCount = 0;
  const plan = {
    command: (kill: number) => denoRunCommand(PERMISSIONS, CHILD, [path, `${kill}`]),
    killCount: KILLS,
    workMsMax: WORK_MS_MAX,
    random,
  };
  for await (const kill of killedChildren(plan)) {
    assertSound(store);
    const unfinished = () =>
      store.groups(ROOT_NAMESPACE).flatMap((group) => store.snapshots(group))
        .filter((id) => !store.snapshotInfo(id).isFinished);
    leftCount += unfinished().length;
    await backUpAll(path, kill);
    assert.deepEqual(unfinished(), []);
    assertSound(store);
    // The processes that follow go on from here, not from the dates of this test.
    for (const id of ["a", "b", "c"]) {
      store.forget({ group: groupOf(id), time: 1_800_000_000 + kill });
    }
  }
  assert.ok(leftCount > 0, "no process was killed with a backup under way");
  store.close();
});
