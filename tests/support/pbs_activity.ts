/**
 * Random work on a datastore: backups that share chunks, prune, removal, garbage collection,
 * verification. The content of all snapshots comes from a small pool of blocks, so that chunks are
 * used again and again.
 *
 * @module
 */

import assert from "node:assert/strict";
import { OsError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import type { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import { type GroupId, ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { collectGarbage, type GarbageCollectionOptions } from "#src/pbs/gc/garbage_collection.ts";
import type { IndexedStream, SnapshotWriter } from "#src/pbs/ports.ts";
import { verifyStore } from "#src/pbs/verify/verify_store.ts";
import { Random } from "./property_random.ts";

/** Bytes of a block, which is a chunk of an image. */
export const BLOCK_SIZE = 4096;
const POOL_SIZE = 60;
const GROUPS = ["a", "b", "c"];
const FIRST_TIME = 1_700_000_000;
const DAY = 86_400;

/** A block of the pool. Half of them compress. */
export function blockOf(number: number): Uint8Array<ArrayBuffer> {
  const bytes = new Random(77, number).bytes(BLOCK_SIZE);
  if (number % 2 === 0) bytes.fill(number, 100);
  return bytes;
}

/** A group of the tests. */
export function groupOf(id: string): GroupId {
  return { ns: ROOT_NAMESPACE, type: "host", id };
}

/** A backup in the making, whose steps can be mixed with those of others. */
export class RunningBackup {
  /** Blocks that were given to it. */
  readonly blocks: number[] = [];
  /** Chunks that it took over from the previous snapshot. */
  injectedCount = 0;
  readonly #writer: SnapshotWriter;
  readonly #random: Random;
  readonly #imageBlocks: number;
  #image: IndexedStream | undefined;
  #payload: IndexedStream | undefined;

  constructor(store: Datastore, random: Random, id: string, time: number, crypt?: CryptConfig) {
    this.#random = random;
    this.#writer = store.startSnapshot({
      group: groupOf(id),
      time,
      crypt,
    });
    this.#imageBlocks = random.between(1, 12);
  }

  get id(): SnapshotId {
    return this.#writer.id;
  }

  /** Does a bit more. @returns whether the snapshot is finished */
  step(): boolean {
    const writer = this.#writer;
    const size = this.#imageBlocks * BLOCK_SIZE;
    this.#payload ??= writer.openDynamic("data.ppxar.didx", {
      kind: "payload",
      averageSize: BLOCK_SIZE,
    });
    this.#image ??= writer.openFixed("disk.img.fidx", size, BLOCK_SIZE);
    if (this.#random.oneIn(3)) this.#payload.write(this.#block());
    if (this.#random.oneIn(3)) this.#inject(this.#payload);
    if (this.#image.position < size) {
      this.#image.write(this.#block());
      return false;
    }
    this.#image.finish();
    this.#payload.write(this.#block());
    this.#payload.finish();
    writer.addBlob("some.conf.blob", new TextEncoder().encode(`blocks ${this.blocks}`));
    writer.finish();
    return true;
  }

  /** Gives it up. */
  abort(): void {
    this.#writer.abort();
  }

  #block(): Uint8Array {
    const number = this.#random.between(0, POOL_SIZE - 1);
    this.blocks.push(number);
    return blockOf(number);
  }

  #inject(stream: IndexedStream): void {
    const { previous } = this.#writer;
    if (previous === undefined) return;
    const index = previous.dynamicIndex("data.ppxar.didx");
    if (index.count === 0) return;
    const first = this.#random.between(0, index.count - 1);
    const last = this.#random.between(first, index.count - 1);
    const chunks = [];
    for (let i = first; i <= last; i++) {
      chunks.push({ digest: index.digestOf(i), size: index.endOf(i) - index.startOf(i) });
    }
    this.injectedCount += chunks.length;
    stream.inject(chunks);
  }
}

/** Random steps, one process's share of the work. */
export class Activity {
  readonly #store: Datastore;
  readonly #random: Random;
  readonly #groups: readonly string[];
  readonly #isConcurrent: boolean;
  readonly #running: RunningBackup[] = [];
  /** Snapshots finished here, and chunks they took over. */
  finishedCount = 0;
  injectedCount = 0;
  /** What garbage collections removed. */
  removedCount = 0;

  /**
   * @param isConcurrent whether other processes work on the same groups: then locks may be taken
   */
  constructor(
    store: Datastore,
    random: Random,
    { groups = GROUPS, isConcurrent = false }: {
      groups?: readonly string[];
      isConcurrent?: boolean;
    },
  ) {
    this.#store = store;
    this.#random = random;
    this.#groups = groups;
    this.#isConcurrent = isConcurrent;
  }

  /** Backups that are not finished. */
  get running(): readonly RunningBackup[] {
    return this.#running;
  }

  /** Goes on with a backup, or starts or removes something. */
  step(): void {
    this.#try(() => this.#step());
  }

  /** Finishes or gives up what is running. */
  end(): void {
    for (const backup of this.#running.splice(0)) {
      if (this.#random.oneIn(3)) backup.abort();
      else {
        while (!backup.step());
        this.#count(backup);
      }
    }
  }

  /** Removes garbage. */
  collect(options: GarbageCollectionOptions): void {
    this.#try(() => {
      this.removedCount += collectGarbage(this.#store, options).removedChunks;
    });
  }

  #step(): void {
    const random = this.#random;
    const backup = this.#running.length === 0 ? undefined : random.pick(this.#running);
    if (backup !== undefined && !random.oneIn(5)) {
      if (random.oneIn(40)) {
        this.#running.splice(this.#running.indexOf(backup), 1);
        backup.abort();
      } else if (backup.step()) this.#finished(backup);
    } else if (random.oneIn(3)) this.#remove();
    else this.#start();
  }

  #start(): void {
    const id = this.#random.pick(this.#groups);
    if (this.#running.some((backup) => backup.id.group.id === id)) return;
    const times = this.#snapshots(groupOf(id)).map(({ time }) => time);
    const time = Math.max(FIRST_TIME, ...times) + this.#random.between(1, DAY);
    this.#running.push(new RunningBackup(this.#store, this.#random, id, time));
  }

  #finished(backup: RunningBackup): void {
    this.#running.splice(this.#running.indexOf(backup), 1);
    this.#count(backup);
  }

  #count(backup: RunningBackup): void {
    this.finishedCount++;
    this.injectedCount += backup.injectedCount;
  }

  #remove(): void {
    const group = groupOf(this.#random.pick(this.#groups));
    const snapshots = this.#snapshots(group);
    if (snapshots.length === 0) return;
    if (this.#random.oneIn(3)) {
      for (const { mark, id } of this.#store.planPrune(group, { last: 2 })) {
        if (mark === "remove") this.#try(() => this.#store.forget(id));
      }
    } else if (this.#random.oneIn(6)) this.#store.forgetGroup(group);
    else this.#store.forget(this.#random.pick(snapshots));
  }

  #snapshots(group: GroupId): SnapshotId[] {
    try {
      return this.#store.snapshots(group);
    } catch (error) {
      if (error instanceof StateError && error.code === "not-found") return [];
      throw error;
    }
  }

  /**
   * What is being written or is the base of a running backup is locked; others may have removed
   * what was listed.
   */
  #try(run: () => void): void {
    try {
      run();
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      const expected = this.#isConcurrent ? ["locked", "not-found", "exists"] : ["locked"];
      if (!expected.includes(error.code)) throw error;
    }
  }
}

/** Makes a store without the 65,536 directories, which take seconds. */
export function makeStore(path: string): void {
  Deno.mkdirSync(path);
  Deno.mkdirSync(`${path}/.chunks`, { mode: 0o750 });
  Deno.writeTextFileSync(`${path}/.lock`, "");
}

/** Opens a store whose locks are not waited for. */
export function openStore(path: string, lockTimeoutMs = 0): Datastore {
  return Datastore.open(path, { access: "write", syncLevel: "none", lockTimeoutMs });
}

/**
 * Asserts that every chunk of every finished snapshot is there and right, and no manifest is
 * damaged.
 */
export function assertSound(store: Datastore): number {
  const report = verifyStore(store, { kind: "namespace" }, { ignoreVerified: false });
  const faults = report.snapshots.flatMap((snapshot) => snapshot.faults);
  assert.deepEqual(faults.map(({ message }) => message), []);
  const skipped = report.snapshots.filter(({ result }) => result === "skipped");
  // What is being written is locked.
  assert.deepEqual(skipped.filter(({ snapshot }) => store.snapshotInfo(snapshot).isFinished), []);
  return report.snapshots.length - skipped.length;
}

/** Makes all chunks three days older, but those of the blocks or digests that `isSpared`. */
export function ageChunks(storePath: string, isSpared: (digest: string) => boolean): void {
  const chunks = `${storePath}/.chunks`;
  const old = Math.floor(Date.now() / 1000) - 3 * DAY;
  for (const directory of Deno.readDirSync(chunks)) {
    for (const { name } of Deno.readDirSync(`${chunks}/${directory.name}`)) {
      if (isSpared(name.slice(0, 64))) continue;
      const path = `${chunks}/${directory.name}/${name}`;
      const result = host.utimensAt(host.At.FDCWD, path, old, 0, 0, host.UTIME_OMIT);
      if (result < 0) throw new OsError(-result, "utimensat", path);
    }
  }
}
