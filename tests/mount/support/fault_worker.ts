/**
 * FUSE worker for tests: a tree in which some names fail when they are looked up.
 *
 * @module
 */

import { Errno, OsError } from "#ffi/os_error.ts";
import { IntegrityError } from "#src/errors.ts";
import { serveWorker } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem } from "#src/mount/tree_file_system.ts";
import type { WorkerMessage } from "#src/mount/worker_protocol.ts";
import type { EntrySlot } from "#src/tree/file_system.ts";
import { openTestTree } from "./test_trees.ts";

const SLOW_MS = 300;
const HANG_MS = 4000;

function sleep(timeMs: number): void {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, timeMs);
}

class FaultyFileSystem extends TreeFileSystem {
  override lookup(parentId: number, name: string, out: EntrySlot): number {
    switch (name) {
      case "throws":
        throw new TypeError("a bug in the file system");
      case "damaged":
        throw new IntegrityError("Checksum differs", { path: "base/1/2", offset: 8192 });
      case "full":
        throw new OsError(Errno.ENOSPC, "write", "/diff/data/x");
      case "slow":
        sleep(SLOW_MS);
        break;
      case "crashes":
        // What a worker says that fails in its loop; then it keeps the request in hand.
        (globalThis as unknown as { postMessage(message: WorkerMessage): void }).postMessage({
          type: "failed",
          index: 0,
          message: "simulated",
        });
        sleep(HANG_MS);
        break;
    }
    return super.lookup(parentId, name, out);
  }
}

serveWorker((description, context) => {
  if (description === "fails to open") throw new TypeError("no such backup");
  if (description === "second fails to open" && context.index === 1) {
    throw new TypeError("no such backup in worker 1");
  }
  return new FaultyFileSystem(openTestTree({ kind: "memory" }));
});
