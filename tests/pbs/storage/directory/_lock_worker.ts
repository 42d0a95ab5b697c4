import { StateError } from "#src/errors.ts";
import { Datastore } from "#src/pbs/datastore.ts";
import type { HeldLock } from "#src/pbs/storage/locks.ts";

/** What is done with the lock of a store in another thread. */
export interface LockStep {
  readonly path: string;
  readonly lockMemory: SharedArrayBuffer | undefined;
  readonly action: "shared" | "exclusive" | "release";
}

let store: Datastore | undefined;
const held: HeldLock[] = [];

function perform({ path, lockMemory, action }: LockStep): string {
  store ??= Datastore.open(path, { access: "write", lockTimeoutMs: 0, lockMemory });
  const { processLock } = store;
  try {
    if (action === "release") held.pop()!.release();
    else if (action === "shared") held.push(processLock.acquireShared());
    else held.push(processLock.acquireExclusive());
  } catch (error) {
    if (error instanceof StateError) return error.code;
    throw error;
  }
  return `${processLock.isHeldExclusively} ${processLock.oldestSharedStart !== undefined}`;
}

self.onmessage = ({ data }: MessageEvent<LockStep>) => self.postMessage(perform(data));
