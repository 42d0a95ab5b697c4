import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { Activity, assertSound, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { CHECK_DATASTORE } from "#tests/support/pbs_fixtures.ts";
import { denoRunCommand, runCommand, RunningCommand, waitUntil } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHILD = fileURLToPath(new URL("./pbs_activity_child.ts", import.meta.url));
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-sys"];
const KILLS = 32;
const WORK_MS_MAX = 80;

/** A process that has loaded everything and waits. */
function startChild(path: string, seed: number): RunningCommand {
  const args = [path, `${seed}`, "60000", "wait"];
  return new RunningCommand(denoRunCommand(PERMISSIONS, CHILD, args), { interactive: true });
}

Deno.test("A datastore is sound after processes were killed while they backed up, removed, verified and collected", async () => {
  using home = new TempDirectory("crash");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  const random = new Random(5);
  let next = startChild(path, 1);
  let sound = 0;
  for (let kill = 1; kill <= KILLS; kill++) {
    const child = next;
    await waitUntil(() => child.stdout.includes("ready"), 20_000, () => child.stderr, 2);
    if (kill < KILLS) next = startChild(path, kill + 1);
    child.write("\n");
    await new Promise((resolve) => setTimeout(resolve, random.between(0, WORK_MS_MAX)));
    child.signalGroup("SIGKILL");
    const { stderr } = await child.wait(10_000);
    assert.equal(stderr, "");
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
    await runCommand(["python3", CHECK_DATASTORE, path], { timeoutMs: 60_000 });
  }
  store.close();
});
