/**
 * What is done with a server while the network is at fault: steps of a client, and their content.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { type GroupId, ROOT_NAMESPACE, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { SnapshotReader, SnapshotWriter } from "#src/pbs/ports.ts";
import type { CopyableStore } from "#src/pbs/sync/ports.ts";
import { syncStores } from "#src/pbs/sync/sync_stores.ts";
import { openStore } from "#tests/support/pbs_activity.ts";
import { Random } from "#tests/support/property_random.ts";

/** Files of a snapshot, and what is in them. */
export type Content = Readonly<Record<string, Uint8Array<ArrayBuffer>>>;

/** One thing that a client does. Plain values: it is sent to the client's thread. */
export interface Step {
  readonly what: "back up" | "restore" | "look around" | "sync to" | "sync from";
  /** Of the group, and of what is backed up. */
  readonly seed: number;
  /** Of the snapshot; they follow each other. */
  readonly time: number;
  /** The other store of a sync. */
  readonly localPath?: string | undefined;
}

const STREAM = "root.pxar.didx";
const IMAGE = "disk.img.fidx";
const BLOB = "some.conf.blob";
/** Servers cut images into chunks of this size. */
const IMAGE_CHUNK_SIZE = 4 << 20;

/** The snapshot of a step. */
export function snapshotOf({ seed, time }: Step): SnapshotId {
  const group: GroupId = { ns: ROOT_NAMESPACE, type: "host", id: `seed${seed}` };
  return { group, time };
}

/** What a snapshot holds. One part of it is that of all snapshots of the group. */
export function contentOf({ seed, time }: Step): Content {
  const [common, own] = [new Random(seed).bytes(16_000), new Random(seed, time).bytes(16_000)];
  return {
    [STREAM]: new Uint8Array([...common, ...own]),
    [IMAGE]: new Random(seed, time, 1).bytes(10_000),
    [BLOB]: new TextEncoder().encode(`${seed} at ${time}`),
  };
}

/** Writes the content of a snapshot, or gives it up. */
export function writeSnapshot(writer: SnapshotWriter, content: Content): void {
  try {
    const image = writer.openFixed(IMAGE, content[IMAGE]!.length, IMAGE_CHUNK_SIZE);
    image.write(content[IMAGE]!);
    image.finish();
    const stream = writer.openDynamic(STREAM, { kind: "dynamic", averageSize: 4096 });
    stream.write(content[STREAM]!);
    stream.finish();
    writer.addBlob(BLOB, content[BLOB]!);
    writer.finish();
  } catch (error) {
    writer.abort();
    throw error;
  }
}

/** Reads what a snapshot holds, and closes it. */
export function readSnapshot(reader: SnapshotReader): Content {
  try {
    const archive = (name: string) => {
      const source = reader.openArchive(name);
      const buffer = allocateNativeBuffer(source.size);
      source.readAt(buffer, 0, source.size, 0);
      source.close();
      return buffer.bytes.slice();
    };
    return { [STREAM]: archive(STREAM), [IMAGE]: archive(IMAGE), [BLOB]: reader.blob(BLOB) };
  } finally {
    reader.close();
  }
}

/** The notes that a step makes. */
export function notesOf({ seed, time }: Step): string {
  return `looked at seed ${seed}, ${time}`;
}

/** Copies the snapshots of a step's group. @throws what that failed with */
function copyGroup(source: CopyableStore, target: CopyableStore, step: Step): void {
  const { group } = snapshotOf(step);
  for (const { error } of syncStores(source, target, { groups: [group] }).outcomes) {
    if (error !== undefined) throw error;
  }
}

/** Does a step. @returns what was read, if anything */
export function takeStep(store: CopyableStore, step: Step): Content {
  const snapshot = snapshotOf(step);
  switch (step.what) {
    case "back up":
      writeSnapshot(store.startSnapshot(snapshot), contentOf(step));
      return {};
    case "restore":
      return readSnapshot(store.openSnapshot(snapshot));
    case "look around": {
      const listed = store.snapshots(snapshot.group).some(({ time }) => time === step.time);
      store.setNotes(snapshot, notesOf(step));
      const { notes = "" } = store.snapshotInfo(snapshot);
      return { listed: Uint8Array.of(Number(listed)), notes: new TextEncoder().encode(notes) };
    }
    case "sync to":
    case "sync from": {
      const local = openStore(step.localPath!, 20_000);
      try {
        if (step.what === "sync to") copyGroup(local, store, step);
        else copyGroup(store, local, step);
        return {};
      } finally {
        local.close();
      }
    }
  }
}
