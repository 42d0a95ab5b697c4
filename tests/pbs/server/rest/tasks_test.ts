import { deepEqual, equal, match } from "node:assert/strict";
import { Tasks } from "#src/pbs/server/rest/tasks.ts";
import { makeStore, openStore } from "#tests/support/pbs_activity.ts";
import { waitUntil } from "#tests/support/process.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";
import { NetworkScene, tokenOf } from "./_network_scene.ts";

const TASKS = "nodes/localhost/tasks";
const TIMEOUT_MS = 60_000;
const MIB = 1 << 20;

interface Status {
  readonly status: "running" | "stopped";
  readonly exitstatus?: string;
  readonly type: string;
  readonly user: string;
}

/** A server with somebody who may do everything. */
class TaskScene implements AsyncDisposable {
  readonly #scene: NetworkScene;
  readonly #token = tokenOf("a@pbs!t");

  private constructor(scene: NetworkScene) {
    this.#scene = scene;
  }

  static async start(storePath?: string): Promise<TaskScene> {
    const scene = await NetworkScene.start(storePath === undefined ? {} : { storePath });
    for (const authId of ["a@pbs", "a@pbs!t"]) scene.add(authId, "admin");
    return new TaskScene(scene);
  }

  get network(): NetworkScene {
    return this.#scene;
  }

  /** @returns the UPID */
  async start(call: string): Promise<string> {
    return await this.#scene.data("POST", `admin/datastore/main/${call}`, this.#token) as string;
  }

  async status(upid: string): Promise<Status> {
    const path = `${TASKS}/${encodeURIComponent(upid)}/status`;
    return await this.#scene.data("GET", path, this.#token) as Status;
  }

  /** Its status when it has ended. */
  async ended(upid: string): Promise<Status> {
    let last: Status | undefined;
    const hasEnded = async () => (last = await this.status(upid)).status === "stopped";
    await waitUntil(hasEnded, TIMEOUT_MS, () => JSON.stringify(last));
    return last!;
  }

  async log(upid: string, query = ""): Promise<string[]> {
    const path = `${TASKS}/${encodeURIComponent(upid)}/log?${query}`;
    const lines = await this.#scene.data("GET", path, this.#token) as { n: number; t: string }[];
    return lines.map(({ n, t }) => `${n} ${t}`);
  }

  async stop(upid: string): Promise<void> {
    await this.#scene.data("DELETE", `${TASKS}/${encodeURIComponent(upid)}`, this.#token);
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.#scene[Symbol.asyncDispose]();
  }
}

/** A store whose verification takes a while. */
function fill(path: string, snapshots: number, bytes: number): void {
  makeStore(path);
  const store = openStore(path);
  for (let number = 0; number < snapshots; number++) {
    const writer = store.startSnapshot({
      group: { ns: store.namespaces()[0]!, type: "host", id: "a" },
      time: 1_700_000_000 + number,
    });
    const image = writer.openFixed("disk.img.fidx", bytes, 4 * MIB);
    for (let done = 0; done < bytes; done += 4 * MIB) {
      const block = new Uint8Array(Math.min(4 * MIB, bytes - done));
      for (let at = 0; at < block.length; at += 65_536) {
        crypto.getRandomValues(block.subarray(at, at + 65_536));
      }
      image.write(block);
    }
    image.finish();
    writer.finish();
  }
  store.close();
}

Deno.test("garbage is collected and snapshots are verified by tasks, which end with a status and a log", async () => {
  using home = new TempDirectory("tasks");
  fill(home.join("store"), 2, MIB);
  await using scene = await TaskScene.start(home.join("store"));
  const gc = await scene.start("gc");
  const collected = await scene.ended(gc);
  deepEqual([collected.type, collected.exitstatus], ["garbage_collection", "OK"]);
  equal(collected.user, "a@pbs!t");
  const lines = await scene.log(gc, "limit=500");
  match(lines[0]!, /^1 starting garbage_collection main$/);
  match(lines.at(-1)!, / TASK OK$/);
  deepEqual(await scene.log(gc, "start=1&limit=1"), [lines[1]]);

  const verified = await scene.start("verify");
  equal((await scene.ended(verified)).exitstatus, "OK");
  const log = (await scene.log(verified, "limit=500")).join("\n");
  match(log, /verify host\/a\/2023-11-14T22:13:20Z/);
  match(log, /verified 2 chunks, 0 bad/);

  const [chunkFolder] = [...Deno.readDirSync(home.join("store/.chunks"))]
    .map(({ name }) => home.join(`store/.chunks/${name}`))
    .filter((folder) => [...Deno.readDirSync(folder)].length > 0);
  const [chunk] = [...Deno.readDirSync(chunkFolder!)].map(({ name }) => `${chunkFolder}/${name}`);
  Deno.writeFileSync(chunk!, Deno.readFileSync(chunk!).map((byte, at) => at === 60 ? ~byte : byte));
  const again = await scene.start("verify?ignore-verified=false");
  match((await scene.ended(again)).exitstatus!, /^verification failed/);
  match((await scene.log(again, "limit=500")).at(-1)!, / TASK ERROR: verification failed/);
});

Deno.test("a task that is stopped ends soon, and says so", async () => {
  using home = new TempDirectory("tasks");
  fill(home.join("store"), 1, 256 * MIB);
  await using scene = await TaskScene.start(home.join("store"));
  const upid = await scene.start("verify");
  equal((await scene.status(upid)).status, "running");
  await scene.stop(upid);
  match((await scene.ended(upid)).exitstatus!, /abort requested/);
  match((await scene.log(upid, "limit=500")).at(-1)!, / TASK ERROR: .*abort requested/);
  // The store is free for the next one.
  equal((await scene.ended(await scene.start("gc"))).exitstatus, "OK");
});

Deno.test("tasks run and end while their disk is full, and are listed; later ones are kept", async () => {
  await using disk = await SmallDisk.create(8);
  const folder = disk.join("tasks");
  const start = (tasks: Tasks) =>
    tasks.start({ type: "verify", id: "main", store: "main", authId: "a@pbs" }, async () => {});
  const before = new Tasks(folder);
  const first = start(before);
  await before.close();

  fillUp(disk.join("filler"));
  const full = new Tasks(folder);
  const upids = Array.from({ length: 200 }, () => start(full));
  await full.close();
  deepEqual(full.list().map(({ upid, status }) => [upid, status]), [
    ...upids.toReversed().map((upid) => [upid, "OK"]),
    [first, "OK"],
  ]);
  Deno.removeSync(disk.join("filler"));
  const last = start(full);
  await full.close();

  const after = new Tasks(folder).list();
  equal(after.at(-1)!.upid, first);
  deepEqual([after[0]!.upid, after[0]!.status], [last, "OK"]);
});

/** Writes until there is no room. */
function fillUp(path: string): void {
  using file = Deno.openSync(path, { create: true, write: true });
  for (const size of [MIB, 4096, 1]) {
    try {
      for (;;) file.writeSync(new Uint8Array(size).fill(1));
    } catch {
      // Full.
    }
  }
}
