import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { syncStores } from "#src/pbs/sync/sync_stores.ts";
import { killedChildren } from "#tests/support/killed_children.ts";
import { assertSound, makeStore, openStore, RunningBackup } from "#tests/support/pbs_activity.ts";
import { goldenKey } from "#tests/support/pbs_fixtures.ts";
import { denoRunCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { assertSame, snapshotsOf, stateOf } from "./_compare.ts";

const CHILD = fileURLToPath(new URL("./_sync_child.ts", import.meta.url));
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write"];
const KILLS = 16;
const WORK_MS_MAX = 60;
const FIRST_TIME = 1_700_000_000;

Deno.test("A sync that is killed leaves whole snapshots alone, and the next one goes on", async () => {
  using home = new TempDirectory("sync-crash");
  const paths = [home.join("source"), home.join("target")] as const;
  paths.forEach(makeStore);
  const [source, target] = [openStore(paths[0]), openStore(paths[1])];
  const random = new Random(11);
  const key = goldenKey("keys/key-none.json");
  const prepare = (kill: number) => {
    for (const id of ["a", "b", "c"]) {
      const crypt = id === "c" ? key : undefined;
      const backup = new RunningBackup(source, random, id, FIRST_TIME + kill * 86_400, crypt);
      while (!backup.step());
    }
  };
  const plan = {
    command: () => denoRunCommand(PERMISSIONS, CHILD, paths),
    killCount: KILLS,
    workMsMax: WORK_MS_MAX,
    random,
    prepare,
  };
  for await (const kill of killedChildren(plan)) {
    assertSound(target);
    const states = stateOf(source);
    for (const [name, state] of stateOf(target)) assert.deepEqual(state, states.get(name));
    // What is left of a snapshot is in nobody's way.
    if (kill % 4 === 0) {
      assert.equal(syncStores(source, target).isComplete, true);
      assertSame(source, target);
      const unfinished = target.groups(snapshotsOf(source)[0]!.group.ns)
        .flatMap((group) => target.snapshots(group))
        .filter((id) => !target.snapshotInfo(id).isFinished);
      assert.deepEqual(unfinished.map(qualifiedName), []);
    }
  }
  source.close();
  target.close();
});
