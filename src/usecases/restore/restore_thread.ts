/**
 * The threads that write files of a restore: each has its own view of the source.
 *
 * @module
 */

import { NO_WAIT_GATE } from "#src/io/wait_gate.ts";
import { attachSource } from "#src/sources/attach.ts";
import { IntegrityError } from "#src/errors.ts";
import { threadIndex } from "#src/threads/thread.ts";
import type { MountableTree } from "#src/tree/node.ts";
import { FileWriter } from "./file_writer.ts";
import { NodeMetadata } from "./node_metadata.ts";
import { RestoreQueue, type WriteCounts } from "./restore_queue.ts";
import type { RestoreThreadStart, WritingOptions } from "./thread_start.ts";

/** Does jobs of a queue in one thread. */
export class QueueWriter {
  readonly #queue: RestoreQueue;
  readonly #tree: MountableTree;
  readonly #writer: FileWriter;

  constructor(queue: RestoreQueue, tree: MountableTree, options: WritingOptions) {
    this.#queue = queue;
    this.#tree = tree;
    this.#writer = new FileWriter(new NodeMetadata(options), options);
  }

  /** Does the job whose first cell is `cell`. @throws what writing it throws */
  readonly run = (cell: number): void => {
    const task = this.#queue.taskAt(cell);
    const node = this.#tree.nodeById(task.nodeId);
    if (node?.kind !== "file") {
      throw new IntegrityError(`Cannot restore "${task.path}": it is not a file in this thread`);
    }
    const counts: WriteCounts = { written: 0, unchanged: 0, warnings: 0 };
    this.#writer.write(node, task, counts);
    this.#queue.setCounts(cell, counts);
  };
}

/** Writes files until there are no more. What a thread with the role of a restore does. */
export function writeFiles(start: RestoreThreadStart): void {
  const { source, options } = start;
  // The first one is the thread that has started this one.
  const index = threadIndex() + 1;
  const queue = new RestoreQueue(start.queue);
  const tree = attachSource(source, { index, gate: NO_WAIT_GATE, spawn: undefined });
  try {
    queue.serve(new QueueWriter(queue, tree, options).run);
  } finally {
    tree.close();
  }
}
