/**
 * Open files: one descriptor for all openers of a file, and how the kernel does I/O on it.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { OpenSlot } from "#src/tree/file_system.ts";
import type { AttributeChanges } from "./attribute_changes.ts";
import type { OverlayContext } from "./context.ts";
import type { CopyUp } from "./copy_up.ts";
import type { FileData } from "./file_data.ts";
import { Flag, IoMode } from "./node_flags.ts";
import type { Nodes } from "./nodes.ts";

const { Errno, OpenFlag } = host;

/** Opens and closes files for one thread. */
export class OpenFiles {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #copyUp: CopyUp;
  readonly #data: FileData;
  readonly #changes: AttributeChanges;

  constructor(
    context: OverlayContext,
    parts: { nodes: Nodes; copyUp: CopyUp; data: FileData; changes: AttributeChanges },
  ) {
    this.#context = context;
    this.#nodes = parts.nodes;
    this.#copyUp = parts.copyUp;
    this.#data = parts.data;
    this.#changes = parts.changes;
  }

  /**
   * Opens a regular file. Wants the namespace lock, takes the node's.
   *
   * @param flags those of open(2)
   * @param isEmptied its content is dropped; it stands in the diff already
   * @returns 0 or a negative errno
   */
  open(
    slot: number,
    flags: number,
    isEmptied: boolean,
    killSuidgid: boolean,
    out: OpenSlot,
  ): number {
    const { table } = this.#context;
    table.lockNode(slot);
    try {
      const ready = table.has(slot, Flag.UPPER)
        ? this.#openUpper(slot, flags, isEmptied, killSuidgid)
        : 0;
      if (ready < 0) {
        if (table.opens(slot) === 0) this.#close(slot);
        return ready;
      }
      table.addOpens(slot, 1);
      this.#chooseIoMode(slot, out);
      return 0;
    } finally {
      table.unlockNode(slot);
    }
  }

  #openUpper(slot: number, flags: number, isEmptied: boolean, killSuidgid: boolean): number {
    const { table } = this.#context;
    const fd = this.#nodes.ensureFileFd(slot);
    if (fd < 0) return fd;
    const isForWriting = (flags & OpenFlag.ACCESS_MASK) !== OpenFlag.RDONLY;
    if (isForWriting && table.has(slot, Flag.READ_ONLY_FD)) {
      // Other reasons show at the first write, if they are still there.
      if (this.#nodes.reopenForWriting(slot) === -Errno.EROFS) return -Errno.EROFS;
    }
    if (!isEmptied) return 0;
    const result = this.#data.truncate(slot, 0);
    if (result < 0) return result;
    if (killSuidgid) this.#changes.killSuidgid(slot, fd);
    return 0;
  }

  /** The kernel wants one way of I/O, and one backing file, for an inode as long as it is open. */
  #chooseIoMode(slot: number, out: OpenSlot): void {
    const { table } = this.#context;
    const flags = table.flags(slot);
    out.handle = slot;
    out.directIo = (flags & Flag.LIVE) !== 0;
    out.backingId = 0;
    out.keepCache = true;
    const { backing, counters } = this.#context;
    // The kernel leaves set-user-id bits alone when it writes to a backing file: such files are
    // ours.
    const notPlain = Flag.PARTIAL | Flag.LIVE | Flag.READ_ONLY_FD | Flag.SETID;
    const isPlain = (flags & (Flag.UPPER | notPlain)) === Flag.UPPER;
    if (table.ioMode(slot) === IoMode.NONE) {
      if (isPlain && backing !== undefined) {
        table.setBacking(slot, backing.register(table.fd(slot)));
      }
      table.setIoMode(slot, table.backing(slot) > 0 ? IoMode.PASSTHROUGH : IoMode.CACHED);
    }
    if (table.ioMode(slot) === IoMode.PASSTHROUGH) {
      out.backingId = table.backing(slot);
      counters.add("passthroughOpens", 1);
      table.setFlags(slot, Flag.CACHE_OLD);
    } else if ((flags & Flag.CACHE_OLD) !== 0) {
      out.keepCache = false;
      table.clearFlags(slot, Flag.CACHE_OLD);
    }
  }

  /** Uses the descriptor of a file just made instead of opening it again. */
  adopt(slot: number, fd: number): void {
    if (this.#context.table.fd(slot) >= 0) host.close(fd);
    else this.#context.table.setFd(slot, fd);
  }

  /**
   * Copies an open file up, and makes sure that its descriptor can write. Takes both locks when
   * there is something to do.
   *
   * @returns 0 or a negative errno
   */
  prepareWrite(slot: number): number {
    const { table } = this.#context;
    const isReady = (table.flags(slot) & (Flag.UPPER | Flag.READ_ONLY_FD)) === Flag.UPPER;
    if (isReady && table.fd(slot) >= 0) return 0;
    this.#copyUp.fetch(slot);
    table.lockNamespace();
    try {
      const result = this.#copyUp.ensureUpper(slot);
      if (result < 0) return result;
      table.lockNode(slot);
      try {
        if (table.has(slot, Flag.READ_ONLY_FD)) return this.#nodes.reopenForWriting(slot);
        const fd = this.#nodes.ensureFileFd(slot);
        return fd < 0 ? fd : 0;
      } finally {
        table.unlockNode(slot);
      }
    } finally {
      table.unlockNamespace();
    }
  }

  /**
   * Copies bytes of an open file that were read into the diff. Takes both locks; what does not work
   * stays where it was.
   */
  materialize(slot: number, offset: number, size: number): void {
    const { table } = this.#context;
    table.lockNamespace();
    try {
      if (this.#copyUp.ensureUpper(slot) < 0) return;
      table.lockNode(slot);
      try {
        if (this.#nodes.ensureFileFd(slot) < 0) return;
      } finally {
        table.unlockNode(slot);
      }
    } finally {
      table.unlockNamespace();
    }
    this.#data.materialize(slot, offset, size);
  }

  /**
   * Counts a handle down; the last one closes the file. Wants the namespace lock, takes the node's.
   */
  release(slot: number): void {
    const { table } = this.#context;
    table.lockNode(slot);
    try {
      if (table.addOpens(slot, -1) === 0) this.#close(slot);
    } finally {
      table.unlockNode(slot);
    }
  }

  #close(slot: number): void {
    const { table } = this.#context;
    if (table.backing(slot) > 0) {
      this.#context.backing?.unregister(table.backing(slot));
      table.setBacking(slot, 0);
    }
    table.setIoMode(slot, IoMode.NONE);
    const fd = table.fd(slot);
    if (fd < 0 || table.has(slot, Flag.PINNED)) return;
    table.setFd(slot, -1);
    table.clearFlags(slot, Flag.READ_ONLY_FD);
    host.close(fd);
  }
}
