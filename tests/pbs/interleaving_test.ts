import assert from "node:assert/strict";
import { fileURLToPath } from "node:url";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import {
  Activity,
  ageChunks,
  assertSound,
  blockOf,
  groupOf,
  makeStore,
  openStore,
} from "#tests/support/pbs_activity.ts";
import { CHECK_DATASTORE, CHECKER_PYTHON } from "#tests/support/pbs_fixtures.ts";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHILD = fileURLToPath(new URL("./pbs_activity_child.ts", import.meta.url));
const PERMISSIONS = ["--allow-ffi", "--allow-read", "--allow-write", "--allow-sys"];

/** The independent checker finds nothing wrong. */
async function assertChecked(path: string): Promise<void> {
  if (CHECK_DATASTORE === undefined) return;
  await runCommand([CHECKER_PYTHON, CHECK_DATASTORE, path], { timeoutMs: 60_000 });
}

/**
 * Chunks of running backups look as old as all others, but for what these have written themselves.
 */
function age(path: string, activity: Activity): void {
  const written = new Set(
    activity.running.flatMap((backup) => backup.blocks).map((block) =>
      digestOf(sha256Of(blockOf(block))) as string
    ),
  );
  // Chunks that were cut differently may be any: they are spared while a backup runs that could
  // have written them.
  const known = new Set<string>();
  for (let block = 0; block < 60; block++) known.add(sha256Of(blockOf(block)).toHex());
  const isRunning = activity.running.length > 0;
  ageChunks(path, (digest) => written.has(digest) || (isRunning && !known.has(digest)));
}

Deno.test("collectGarbage of a process that backs up, also meanwhile, removes nothing that is needed", async () => {
  let finished = 0;
  let injected = 0;
  let removed = 0;
  for (let seed = 1; seed <= 6; seed++) {
    using home = new TempDirectory("mix");
    const path = home.join("store");
    makeStore(path);
    const store = openStore(path);
    const random = new Random(seed);
    const activity = new Activity(store, random, {});
    for (let round = 0; round < 6; round++) {
      for (let step = random.between(5, 60); step > 0; step--) activity.step();
      age(path, activity);
      activity.collect({
        checkAccessTimes: false,
        // Backups go on, begin, end and are removed between index files and chunk directories.
        onProgress: () => {
          for (let step = random.between(0, 3); step > 0; step--) activity.step();
        },
      });
      assertSound(store);
    }
    activity.end();
    age(path, activity);
    activity.collect({ checkAccessTimes: false });
    assertSound(store);
    if (seed === 6) await assertChecked(path);
    finished += activity.finishedCount;
    injected += activity.injectedCount;
    removed += activity.removedCount;
    store.close();
  }
  assert.ok(finished > 50, `${finished} snapshots`);
  assert.ok(injected > 50, `${injected} chunks taken over`);
  assert.ok(removed > 50, `${removed} chunks removed`);
});

Deno.test("collectGarbage between processes that back up, remove and verify removes nothing that is needed", async () => {
  using home = new TempDirectory("mix");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  let finished = 0;
  let removed = 0;
  for (let round = 0; round < 2; round++) {
    const results = await Promise.all([1, 2, 3, 4].map((number) =>
      runCommand(
        denoRunCommand(PERMISSIONS, CHILD, [path, `${round * 10 + number}`, "2500"]),
        { timeoutMs: 60_000 },
      )
    ));
    for (const { stdout } of results) {
      const counts = JSON.parse(stdout);
      finished += counts.finished;
      removed += counts.removed;
    }
    assertSound(store);
    const status = collectGarbage(store, { keepMinutes: 0 });
    removed += status.removedChunks;
    assertSound(store);
  }
  await assertChecked(path);
  assert.ok(finished > 10, `${finished} snapshots`);
  assert.ok(removed > 0, `${removed} chunks removed`);
  // Nobody is left with a lock.
  for (const id of ["a", "b", "c"]) {
    store.startSnapshot({ group: groupOf(id), time: 2_000_000_000 }).abort();
  }
  store.close();
});
