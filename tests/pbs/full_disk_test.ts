import assert from "node:assert/strict";
import { Errno, OsError } from "#src/errors.ts";
import { ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage } from "#src/pbs/gc/garbage_collection.ts";
import {
  assertSound,
  groupOf,
  makeStore,
  openStore,
  RunningBackup,
} from "#tests/support/pbs_activity.ts";
import { runCommand } from "#tests/support/process.ts";
import { Random } from "#tests/support/property_random.ts";
import { SmallDisk } from "#tests/support/small_disk.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

/** A tmpfs of so many KiB; the other kind of small disk is at least a megabyte. */
class SmallMemoryDisk implements AsyncDisposable {
  readonly #home = new TempDirectory("full");
  readonly path = this.#home.join("disk");

  static async create(sizeKib: number): Promise<SmallMemoryDisk> {
    const disk = new SmallMemoryDisk();
    Deno.mkdirSync(disk.path);
    const mount = ["mount", "-t", "tmpfs", "-o", `size=${sizeKib}k`, "pbkfs-test", disk.path];
    await runCommand(mount, { timeoutMs: 10_000 });
    return disk;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await runCommand(["umount", "-l", this.path], { timeoutMs: 10_000, check: false });
    this.#home[Symbol.dispose]();
  }
}

/** Makes a file as large as there is room. */
function fill(path: string): void {
  const file = Deno.openSync(path, { write: true, create: true, append: true });
  const piece = new Uint8Array(4096);
  try {
    while (file.writeSync(piece) > 0);
  } catch {
    // Full.
  }
  file.close();
}

function shrink(path: string, bytes: number): void {
  Deno.truncateSync(path, Math.max(0, Deno.statSync(path).size - bytes));
}

function runOn(disk: { readonly path: string }, seed: number): void {
  const path = `${disk.path}/store`;
  makeStore(path);
  const store = openStore(path);
  const random = new Random(seed);
  const ballast = `${disk.path}/ballast`;
  let time = 1_700_000_000;
  let failures = 0;
  let successes = 0;
  for (let round = 0; round < 60; round++) {
    fill(ballast);
    // So that the disk is full at some point of the backup.
    shrink(ballast, random.between(0, 30) * 4096);
    time += 1000;
    let backup: RunningBackup | undefined;
    try {
      backup = new RunningBackup(store, random, "abcde"[round % 5]!, time);
      while (!backup.step());
      successes++;
    } catch (error) {
      assert.ok(error instanceof OsError, `${error}`);
      assert.equal(error.errno, Errno.ENOSPC, `${error}`);
      failures++;
      backup?.abort();
    }
    assertNoTraces(path);
    if (round % 10 === 9) {
      // Also where there is no room for anything.
      fill(ballast);
      collectGarbage(store, { keepMinutes: 0 });
      assertSound(store);
    }
  }
  assert.ok(failures > 5 && successes > 5, `${failures} failures, ${successes} successes`);
  Deno.removeSync(ballast);
  collectGarbage(store, { keepMinutes: 0 });
  assertSound(store);
  for (const group of store.groups(ROOT_NAMESPACE)) {
    for (const snapshot of store.snapshots(group)) {
      assert.ok(store.snapshotInfo(snapshot).isFinished);
    }
  }
  store.close();
}

/** No temporary files are left where writing failed. */
function assertNoTraces(path: string): void {
  for (const directory of Deno.readDirSync(`${path}/.chunks`)) {
    for (const { name } of Deno.readDirSync(`${path}/.chunks/${directory.name}`)) {
      assert.match(name, /^[0-9a-f]{64}$/);
    }
  }
}

Deno.test("A backup to a full disk fails with ENOSPC, and leaves the datastore sound", async () => {
  await using disk = await SmallMemoryDisk.create(600);
  runOn(disk, 1);
});

Deno.test("A backup to a full ext4 fails with ENOSPC, and leaves the datastore sound", async () => {
  await using disk = await SmallDisk.create(4);
  runOn(disk, 2);
});

Deno.test("A backup with threads to a full disk fails with ENOSPC, and leaves nothing", async () => {
  await using disk = await SmallMemoryDisk.create(60 << 10);
  const path = `${disk.path}/store`;
  makeStore(path);
  const store = openStore(path);
  const size = 256 << 20;
  const chunkSize = 1 << 20;
  const writer = store.startSnapshot({ group: groupOf("a"), workers: { count: 2 } });
  const image = writer.openFixed("disk.img.fidx", size, chunkSize);
  const random = new Random(3);
  const piece = random.bytes(chunkSize);
  assert.throws(() => {
    for (let position = 0; position < size; position += chunkSize) {
      new DataView(piece.buffer).setUint32(0, position);
      image.write(piece);
    }
    image.finish();
  }, (error) => error instanceof OsError && error.errno === Errno.ENOSPC);
  writer.abort();
  assertNoTraces(path);
  assert.deepEqual(store.groups(ROOT_NAMESPACE), []);
  const status = collectGarbage(store, { keepMinutes: 0 });
  assert.ok(status.removedChunks + status.diskChunks > 40);
  store.close();
});
