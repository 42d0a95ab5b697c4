/**
 * A server with clients, in one process, until it is killed.
 *
 *     deno run … _session_activity_child.ts STORE SEED
 *
 * It starts when it is told to on standard input, so that loading it takes no time then.
 *
 * @module
 */

import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { StoreThreads } from "#src/pbs/server/served_store.ts";
import { startBackupSession } from "#src/pbs/server/sessions.ts";
import { Random } from "#tests/support/property_random.ts";
import { backUpOnce, ChunkPool, isInTheWay } from "./_session_activity.ts";

const [path, seed] = Deno.args as [string, string];
const threads = new StoreThreads({ count: 2 });
const store = threads.serve({ name: "main", path, syncLevel: "none" });
const pool = new ChunkPool({ poolSize: 40, chunkBytes: 4096, chunksMax: 20 });
const random = new Random(Number(seed));
const signal = new AbortController().signal;

async function backUpForever(id: string): Promise<never> {
  const group = { ns: ROOT_NAMESPACE, type: "host", id } as const;
  for (;;) {
    const groups = await store.call("groups", ROOT_NAMESPACE);
    const isThere = groups.some((known) => known.id === id);
    const snapshots = isThere ? await store.call("snapshots", group) : [];
    const time = (snapshots.at(-1)?.time ?? 1_700_000_000) + 1;
    const context = { store, authId: "tester@pbs", isBenchmark: false, isDebug: false };
    const session = await startBackupSession({ ...context, group, time }, signal);
    await backUpOnce(session, pool, random, id, time);
    if (snapshots.length > 4) {
      await store.call("forget", snapshots[0]!).catch((error) => {
        if (!isInTheWay(error)) throw error;
      });
    }
  }
}

async function collectForever(): Promise<never> {
  for (;;) {
    await store.callAlone("collectGarbage", { keepMinutes: 0, checkAccessTimes: false });
    await new Promise((resolve) => setTimeout(resolve, random.between(0, 100)));
  }
}

await Promise.all([1, 2, 3].map(() => store.call("groups", ROOT_NAMESPACE)));
console.log("ready");
Deno.stdin.readSync(new Uint8Array(1));
await Promise.all([...["a", "b", "c"].map(backUpForever), collectForever()]);
