import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { killedChildren } from "#tests/support/killed_children.ts";
import { Activity, assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { CHECK_DATASTORE, CHECKER_PYTHON } from "#tests/support/pbs_fixtures.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHILD = fileURLToPath(new URL("./pbs_activity_child.ts", import.meta.url));
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-sys"];
const KILLS = 32;
const WORK_MS_MAX = 80;

Deno.test("A datastore is sound after processes were killed while they backed up, removed, verified and collected", async () => {
  using home = new TempDirectory("crash");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  const random = new Random(5);
  let sound = 0;
  const plan = {
    command: (kill: number) =>
      denoRunCommand(PERMISSIONS, CHILD, [path, `${kill}`, "60000", "wait"]),
    killCount: KILLS,
    workMsMax: WORK_MS_MAX,
    random,
  };
  for await (const kill of killedChildren(plan)) {
    sound += assertSound(store);
    if (kill % 4 === 0) {
      // Unfinished snapshots of the dead are no hindrance, nor are their locks.
      const activity = new Activity(store, random, {});
      for (let step = 0; step < 20; step++) activity.step();
      activity.end();
      const status = collectGarbage(store, { keepMinutes: 0, checkAccessTimes: false });
      assert.equal(status.pendingChunks, 0);
      assertSound(store);
    }
  }
  assert.ok(sound > KILLS, `${sound} snapshots verified`);
  // What the dead have left can be removed.
  for (const group of store.groups(ROOT_NAMESPACE)) {
    for (const snapshot of store.snapshots(group)) {
      if (!store.snapshotInfo(snapshot).isFinished) store.forget(snapshot);
    }
  }
  assertSound(store);
  if (CHECK_DATASTORE !== undefined) {
    await runCommand([CHECKER_PYTHON, CHECK_DATASTORE, path], { timeoutMs: 60_000 });
  }
  store.close();
});
