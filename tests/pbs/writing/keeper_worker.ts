/**
 * Threads of the tests of keepers: those that encode know the keeper of another thread; that other
 * thread stores what they hand over, in its event loop.
 *
 * @module
 */

import "../storage/_storage_kinds.ts";
import { nativeBufferOf } from "#ffi/libc/files.ts";
import { serveDatastoreThread } from "#src/pbs/thread_roles.ts";
import { registerKeeper } from "#src/pbs/writing/open_keeper.ts";
import { StorageKeeper } from "#src/pbs/writing/storage_keeper.ts";
import { JobQueue } from "#src/threads/job_queue.ts";
import {
  Cell,
  digestOfJob,
  Job,
  type KeeperStart,
  ThreadKeeper,
  type ThreadKeeperDescription,
} from "./_thread_keeper.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

registerKeeper<ThreadKeeperDescription>("thread", (description) => new ThreadKeeper(description));

if (!serveDatastoreThread()) {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = ({ data }) => {
    scope.postMessage("ready");
    void keepChunks(data as KeeperStart);
  };
}

async function keepChunks({ keeper, storage, failAt }: KeeperStart): Promise<never> {
  const { cells } = keeper;
  const lanes = keeper.lanes.map((shared) => new JobQueue(shared));
  const inner = new StorageKeeper({ kind: "storage", storage, isEncrypted: false });
  const keep = async (lane: JobQueue, number: number) => {
    // A connection takes its time, and has other lanes' chunks under way meanwhile.
    await new Promise((resolve) => setTimeout(resolve, 1));
    lane.run(number, (cell) => {
      if (Atomics.add(cells, Cell.KEPT, 1) === failAt) throw new TypeError("the server said no");
      const [size, plainSize] = [lane.cells[cell + Job.SIZE]!, lane.cells[cell + Job.PLAIN_SIZE]!];
      const buffer = nativeBufferOf(lane.bytesOf(cell + Job.BYTES, size).slice());
      const digest = digestOfJob(lane, cell);
      const known = inner.find(digest, plainSize);
      const encoded = { buffer, start: 0, size, isCompressed: false, isEncrypted: false };
      const outcome = known >= 0
        ? { storedSize: known, isNew: false }
        : inner.keep(digest, plainSize, encoded);
      lane.cells[cell + Job.STORED_SIZE] = outcome.storedSize;
      lane.cells[cell + Job.IS_NEW] = outcome.isNew ? 1 : 0;
    });
  };
  for (;;) {
    const call = Atomics.load(cells, Cell.CALL);
    for (const lane of lanes) {
      const number = lane.claim();
      if (number !== undefined) void keep(lane, number);
    }
    await Atomics.waitAsync(cells, Cell.CALL, call).value;
  }
}
