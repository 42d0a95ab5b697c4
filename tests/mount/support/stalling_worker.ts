/**
 * FUSE worker for tests: a tree whose source can be made to hang. Reads, and look-ups of names that
 * begin with `remote`, go to the source; nothing else does.
 *
 * @module
 */

import { waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import { serveWorker } from "#src/mount/fuse_worker.ts";
import { TreeFileSystem } from "#src/mount/tree_file_system.ts";
import type { EntrySlot, OpenSlot } from "#src/tree/file_system.ts";
import { openTestTree } from "./test_trees.ts";
import { SourceCell } from "./stalling_source.ts";

class StallingFileSystem extends TreeFileSystem {
  readonly #gate: WaitGate;
  readonly #cells: Int32Array<SharedArrayBuffer>;

  constructor(gate: WaitGate, memory: SharedArrayBuffer) {
    super(openTestTree({ kind: "memory" }));
    this.#gate = gate;
    this.#cells = new Int32Array(memory);
  }

  override lookup(parentId: number, name: string, out: EntrySlot): number {
    if (name.startsWith("remote")) this.#askSource();
    return super.lookup(parentId, name, out);
  }

  /** Every read becomes a request that the kernel may interrupt. */
  override open(nodeId: number, flags: number, kill: boolean, out: OpenSlot): number {
    out.directIo = true;
    return super.open(nodeId, flags, kill, out);
  }

  override read(...args: Parameters<TreeFileSystem["read"]>): number {
    this.#askSource();
    return super.read(...args);
  }

  #askSource(): void {
    waitAt(this.#gate, () => {
      Atomics.add(this.#cells, SourceCell.ASKED, 1);
      while (Atomics.load(this.#cells, SourceCell.IS_HANGING) === 1) {
        Atomics.wait(this.#cells, SourceCell.IS_HANGING, 1);
      }
    });
  }
}

serveWorker((description, { gate }) =>
  new StallingFileSystem(gate, description as SharedArrayBuffer)
);
