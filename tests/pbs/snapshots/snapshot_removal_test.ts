import assert from "node:assert/strict";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { openStore } from "#src/pbs/snapshots/open_store.ts";
import { forgetSnapshot } from "#src/pbs/snapshots/snapshot_removal.ts";
import { isFinished, listSnapshots } from "#src/pbs/snapshots/store_listing.ts";
import { DirectoryStorage } from "#src/pbs/storage/directory/directory_storage.ts";
import type { FileStorage, Storage } from "#src/pbs/storage/storage.ts";
import { chunkOf, finish, noise, ServedScene, writeDynamic } from "../server/_served_scene.ts";

const TIME = 1_800_000_000;
const GROUP = { ns: ROOT_NAMESPACE, type: "host", id: "a" } as const;
const CHUNK = chunkOf(noise(1, 10_000));
const CHANGES: ReadonlySet<string> = new Set(["replace", "remove", "removeFolderTree"]);

const OWNER = { uid: 0, gid: 0 };

function openDirectory(path: string): DirectoryStorage {
  return DirectoryStorage.open({
    kind: "directory",
    path,
    writing: { owner: OWNER, syncLevel: "none" },
    locking: { owner: OWNER, serverPath: undefined, timeoutMs: 0, memory: undefined },
  });
}

/** Stands for the end of the process. */
class Killed extends Error {}

async function backUp(scene: ServedScene, time: number): Promise<void> {
  const session = await scene.backup({ time });
  await finish(session, { time }, [await writeDynamic(session, "root.pxar.didx", [CHUNK])]);
  await session.close();
}

/** The storage of a process that is killed before it changes files once more than that. */
function killedAfter(storage: Storage, changes: number): Storage {
  let left = changes;
  const files = new Proxy(storage.files, {
    get(target, name) {
      const value = Reflect.get(target, name, target);
      if (typeof value !== "function") return value;
      return (...args: unknown[]) => {
        if (CHANGES.has(String(name)) && left-- === 0) throw new Killed();
        return value.apply(target, args);
      };
    },
  }) satisfies FileStorage;
  return new Proxy(storage, {
    get: (target, name) => name === "files" ? files : Reflect.get(target, name, target),
  });
}

Deno.test("what is left of a snapshot whose removal was cut short goes with the next backup", async () => {
  await using scene = new ServedScene();
  await backUp(scene, TIME);
  let time = TIME;
  let cutCount = 0;
  for (let changes = 0;; changes++) {
    const victim = time;
    await backUp(scene, ++time);
    const storage = openDirectory(scene.path);
    const store = openStore(killedAfter(storage, changes), true);
    let isDone = true;
    try {
      forgetSnapshot(store, { group: GROUP, time: victim });
    } catch (error) {
      assert.ok(error instanceof Killed);
      isDone = false;
      cutCount++;
    }
    const others = listSnapshots(openStore(storage, false), GROUP);
    assert.equal(others.at(-1)?.time, time);
    await backUp(scene, ++time);
    const left = listSnapshots(openStore(storage, false), GROUP);
    assert.ok(left.every((id) => isFinished(store, id)), `after ${changes} changes`);
    storage.close();
    if (isDone) break;
  }
  assert.ok(cutCount >= 4, "marker, manifest, index, folder");
});
