/**
 * Complete partial files become plain ones while the mount is used, so that the kernel can serve
 * them from the next open on.
 *
 * A file whose disk can cut off its header in place is held still for the few syncs that this
 * takes, under the lock of names and its own: whoever wants a name waits as long, as for the first
 * change of a file. For others a copy is made with no lock held, and put in place if the file was
 * neither opened nor changed meanwhile.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { collapseAll, isCollapsible } from "../collapsing.ts";
import { type CompleteFile, examineFile } from "../complete_file.ts";
import type { OverlayContext } from "../context.ts";
import { Flag } from "../node_flags.ts";
import type { Nodes } from "../nodes.ts";
import { writePlainCopy } from "../plain_copy.ts";

/**
 * A file is copied when it has not changed for so long: then another change has another time, on
 * the clock of any disk.
 */
const QUIET_MS = 2000;

/** What became of a file. */
export type UnwrapOutcome =
  /** It is plain. */
  | "plain"
  /** Somebody has it open, or has just changed it. */
  | "in-use"
  /** It stays partial: it has several names, and its disk cannot cut it. */
  | "kept";

/** Makes files plain for one thread. */
export class ClosedFiles {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;

  readonly #now: () => number;

  /** @param now milliseconds since 1970, as the disk's times of changes */
  constructor(context: OverlayContext, nodes: Nodes, now: () => number) {
    this.#context = context;
    this.#nodes = nodes;
    this.#now = now;
  }

  /**
   * Makes a partial file plain that is open nowhere. The caller has a lookup of the node. Takes the
   * lock of names and the node's.
   *
   * @param fd the file, open for writing
   * @param mayCopy also where that takes a copy, and its space
   * @throws {OsError} when the disk fails
   * @throws {FormatError} when its header is damaged
   */
  unwrap(slot: number, fd: number, mayCopy: boolean): UnwrapOutcome {
    const collapsed = this.#withClosed(slot, () => this.#collapse(slot, fd));
    if (collapsed !== undefined) return collapsed;
    return mayCopy ? this.#replace(slot, fd) : "in-use";
  }

  /** Runs something while nobody can open the file or change its names. */
  #withClosed(slot: number, run: () => UnwrapOutcome | undefined): UnwrapOutcome | undefined {
    const { table } = this.#context;
    table.lockNamespace();
    try {
      table.lockNode(slot);
      try {
        if (!table.has(slot, Flag.PARTIAL)) return "plain";
        const isFree = table.opens(slot) === 0 && table.fd(slot) < 0 &&
          !table.has(slot, Flag.DELETED);
        return isFree ? run() : "in-use";
      } finally {
        table.unlockNode(slot);
      }
    } finally {
      table.unlockNamespace();
    }
  }

  #isPlain(slot: number, fd: number): boolean {
    return examineFile(fd, this.#context.nonce, this.#context.table.name(slot)) === "plain";
  }

  #examine(slot: number, fd: number): CompleteFile | undefined {
    const { nonce, table } = this.#context;
    const file = examineFile(fd, nonce, table.name(slot));
    return typeof file === "string" ? undefined : file;
  }

  /** @returns undefined when its disk cannot do that */
  #collapse(slot: number, fd: number): UnwrapOutcome | undefined {
    const file = this.#examine(slot, fd);
    if (file === undefined) return "in-use";
    if (!isCollapsible(fd, file)) return undefined;
    try {
      const refused = collapseAll(this.#context.diffPath, [{ fd, file }]);
      return refused.length > 0 ? undefined : "plain";
    } finally {
      // Also where it was cut, and only the disk has failed to make that durable.
      if (this.#isPlain(slot, fd)) this.#notePlain(slot);
    }
  }

  #replace(slot: number, fd: number): UnwrapOutcome {
    const { tmpFd } = this.#context;
    const file = this.#examine(slot, fd);
    if (file === undefined || this.#now() - changedAtMs(file) < QUIET_MS) return "in-use";
    if (file.stat.nlink > 1) return "kept";
    const temporary = { fd: tmpFd, name: this.#context.temporaryName() };
    const copy = writePlainCopy(fd, file, temporary);
    let outcome: UnwrapOutcome | undefined;
    try {
      host.unwrap(host.fsync(copy), "sync", temporary.name);
      outcome = this.#withClosed(slot, () => this.#place(slot, fd, file, copy, temporary.name));
    } finally {
      host.close(copy);
      if (outcome !== "plain") host.unlinkAt(tmpFd, temporary.name);
    }
    return outcome ?? "in-use";
  }

  #place(
    slot: number,
    fd: number,
    file: CompleteFile,
    copy: number,
    temporary: string,
  ): UnwrapOutcome {
    const { table, tmpFd } = this.#context;
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", table.name(slot));
    if (!isUnchanged(stat, file)) return "in-use";
    host.unwrap(host.statFd(copy, stat), "stat", temporary);
    const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
    const renamed = host.renameAt(tmpFd, temporary, place.fd, place.name);
    host.unwrap(renamed, "rename", table.name(slot));
    table.setKey(slot, stat.ino);
    table.setFlags(slot, Flag.NAME_UNSYNCED);
    this.#notePlain(slot);
    return "plain";
  }

  /** Nothing in the diff says any more that it came from the lower tree. */
  #notePlain(slot: number): void {
    const { table } = this.#context;
    table.setFlags(slot, Flag.INO_UNRECORDED);
    table.clearFlags(
      slot,
      Flag.PARTIAL | Flag.MAP_DIRTY | Flag.MAP_OLD_BOOT | Flag.LIMIT_UNSAVED,
    );
  }
}

function changedAtMs({ stat }: CompleteFile): number {
  return stat.ctimeSeconds * 1000 + stat.ctimeNanoseconds / 1e6;
}

function isUnchanged(stat: host.HostStat, { stat: former }: CompleteFile): boolean {
  return stat.ino === former.ino && stat.size === former.size && stat.nlink === former.nlink &&
    stat.ctimeSeconds === former.ctimeSeconds &&
    stat.ctimeNanoseconds === former.ctimeNanoseconds;
}
