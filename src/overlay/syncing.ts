/**
 * What is durable when fsync(2) returns: content, attributes, and the names under which a file came
 * into the diff.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { OverlayContext } from "./context.ts";
import type { CopyUp } from "./copy_up.ts";
import type { FileData } from "./file_data.ts";
import { Flag } from "./node_flags.ts";

/** Makes nodes durable for one thread. Takes the namespace lock where there are names to sync. */
export class Syncing {
  readonly #context: OverlayContext;
  readonly #copyUp: CopyUp;
  readonly #data: FileData;

  constructor(context: OverlayContext, copyUp: CopyUp, data: FileData) {
    this.#context = context;
    this.#copyUp = copyUp;
    this.#data = data;
  }

  /** Nothing where the diff need not survive, or has no file. @returns 0 or a negative errno */
  syncFile(slot: number, dataOnly: boolean): number {
    if (!this.#isToSync(slot)) return 0;
    const result = this.#data.sync(slot, dataOnly);
    return result < 0 ? result : this.#syncNames(slot);
  }

  /** Names in the directory's part of the diff, where there is one, and its own name. */
  syncDirectory(slot: number): number {
    if (!this.#isToSync(slot)) return 0;
    const result = host.fsync(this.#context.table.fd(slot));
    return result < 0 ? result : this.#syncNames(slot);
  }

  #isToSync(slot: number): boolean {
    const { table, options } = this.#context;
    if (options.skipFsync) return false;
    return (table.flags(slot) & (Flag.UPPER | Flag.VOLATILE)) === Flag.UPPER;
  }

  #syncNames(slot: number): number {
    const { table } = this.#context;
    const isPending = (table.flags(slot) & (Flag.NAME_UNSYNCED | Flag.DELETED)) ===
      Flag.NAME_UNSYNCED;
    if (!isPending) return 0;
    table.lockNamespace();
    try {
      return this.#copyUp.syncNames(slot);
    } finally {
      table.unlockNamespace();
    }
  }
}
