import assert from "node:assert/strict";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import { ageChunks, makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const CHUNK_COUNT = 200;
const ROUNDS = 60;

Deno.test("sweepChunks removes no chunk that another thread begins to use at the same time", () => {
  using home = new TempDirectory("sweep");
  const path = home.join("store");
  makeStore(path);
  const store = openStore(path);
  const lock = store.processLock.acquireShared();
  const rounds = new SharedArrayBuffer(8);
  const cells = new Int32Array(rounds);
  const worker = new Worker(new URL("./chunk_user_worker.ts", import.meta.url), { type: "module" });
  worker.postMessage({ path, count: CHUNK_COUNT, rounds });
  let removed = 0;
  let kept = 0;
  for (let round = 1; round <= ROUNDS; round++) {
    ageChunks(path, () => false);
    Atomics.store(cells, 0, round);
    Atomics.notify(cells, 0);
    const status = collectGarbage(store, { checkAccessTimes: false });
    removed += status.removedChunks;
    while (Atomics.load(cells, 1) < round) Atomics.wait(cells, 1, round - 1);
    for (let byte = 0; byte < CHUNK_COUNT; byte++) {
      const name = new Uint8Array(32).fill(byte).toHex();
      assert.equal(Deno.statSync(`${path}/.chunks/${name.slice(0, 4)}/${name}`).size, 100);
    }
    kept += status.diskChunks;
  }
  Atomics.store(cells, 0, 2_000_000);
  Atomics.notify(cells, 0);
  assert.ok(removed > 0 && kept > 0, `${removed} removed, ${kept} kept`);
  worker.terminate();
  lock.release();
  store.close();
});
