/**
 * Changes of owner, mode, times and size.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { type AttributeChange, Change } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import type { FileData } from "./file_data.ts";
import { Flag } from "./node_flags.ts";
import { noteMode } from "./node_table.ts";
import type { Nodes } from "./nodes.ts";
import type { HostPlace } from "./partial_probe.ts";

const { Errno } = host;

/** Changes attributes for one thread. */
export class AttributeChanges {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #data: FileData;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes, data: FileData) {
    this.#context = context;
    this.#nodes = nodes;
    this.#data = data;
  }

  /**
   * Changes a node of the diff. Wants the namespace lock, takes the node's.
   *
   * @returns 0 or a negative errno
   */
  apply(slot: number, change: AttributeChange): number {
    if (this.#context.table.type(slot) !== EntryType.FILE) {
      if ((change.mask & Change.SIZE) !== 0) return -Errno.EINVAL;
      const place = this.#changePlace(slot);
      return place === undefined ? -Errno.ENOENT : this.#changeAt(place.fd, place.name, change);
    }
    this.#context.table.lockNode(slot);
    try {
      const wasOpen = this.#context.table.fd(slot) >= 0;
      const fd = this.#nodes.ensureFileFd(slot);
      if (fd < 0) return fd;
      let result = 0;
      if ((change.mask & Change.SIZE) !== 0) result = this.#data.truncate(slot, change.size);
      if (result === 0) result = this.#changeAt(fd, "", change);
      noteMode(this.#context.table, slot, change.mask & Change.MODE ? change.mode : 0);
      if ((change.mask & Change.KILL_SUIDGID) !== 0) this.killSuidgid(slot, fd);
      if (
        !wasOpen && this.#context.table.opens(slot) === 0 &&
        !this.#context.table.has(slot, Flag.PINNED)
      ) {
        this.#context.table.setFd(slot, -1);
        host.close(fd);
      }
      return result;
    } finally {
      this.#context.table.unlockNode(slot);
    }
  }

  /** Where owner, mode and times of something other than a file are changed. */
  #changePlace(slot: number): HostPlace | undefined {
    const { table } = this.#context;
    if (table.type(slot) === EntryType.DIRECTORY) return { fd: table.fd(slot), name: "" };
    if (table.has(slot, Flag.DELETED)) return undefined;
    return this.#nodes.hostPlace(table.parent(slot), table.name(slot));
  }

  /** Changes owner, mode and times. An empty `name` means the open file `fd`. */
  #changeAt(fd: number, name: string, change: AttributeChange): number {
    const { mask } = change;
    if ((mask & (Change.UID | Change.GID)) !== 0) {
      const uid = (mask & Change.UID) !== 0 ? change.uid : host.KEEP_ID;
      const gid = (mask & Change.GID) !== 0 ? change.gid : host.KEEP_ID;
      const result = host.chownAt(fd, name, uid, gid);
      if (result < 0) return result;
    }
    if ((mask & Change.MODE) !== 0) {
      const mode = change.mode & 0o7777;
      const result = name === "" ? host.fchmod(fd, mode) : host.chmodAt(fd, name, mode);
      if (result < 0) return result;
    }
    const TIMES = Change.ATIME | Change.MTIME | Change.ATIME_NOW | Change.MTIME_NOW;
    if ((mask & TIMES) === 0) return 0;
    const atime = (mask & Change.ATIME_NOW) !== 0
      ? host.UTIME_NOW
      : (mask & Change.ATIME) !== 0
      ? change.atimeNanoseconds
      : host.UTIME_OMIT;
    const mtime = (mask & Change.MTIME_NOW) !== 0
      ? host.UTIME_NOW
      : (mask & Change.MTIME) !== 0
      ? change.mtimeNanoseconds
      : host.UTIME_OMIT;
    return host.utimensAt(fd, name, change.atimeSeconds, atime, change.mtimeSeconds, mtime);
  }

  /** Clears set-user-id and set-group-id bits, as a write by an unprivileged process does. */
  killSuidgid(slot: number, fd: number): void {
    if (!this.#context.table.has(slot, Flag.SETID) || host.statFd(fd, this.#stat) < 0) return;
    const { mode } = this.#stat;
    // Set-group-id without group execution is no privilege.
    const isGroup = (mode & 0o2010) === 0o2010;
    const kept = mode & 0o7777 & ~0o4000 & ~(isGroup ? 0o2000 : 0);
    if (kept !== (mode & 0o7777)) host.fchmod(fd, kept);
    if ((kept & 0o6000) === 0) this.#context.table.clearFlags(slot, Flag.SETID);
  }
}
