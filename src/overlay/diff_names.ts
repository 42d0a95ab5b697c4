/**
 * The steps that changes of names in the diff are made of. Each is one operation of the host where
 * the host's file system can do it.
 *
 * All methods want the namespace lock and return 0 or a negative errno unless they say otherwise.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { Failure, FormatError } from "#src/errors.ts";
import { isDamage } from "#src/io/sound_read.ts";
import type { OverlayContext } from "./context.ts";
import { MARKER_NAME } from "./directory_marker.ts";
import { readHostDirectory, removeHostTree } from "./host_directory.ts";
import type { Nodes } from "./nodes.ts";
import { isWhiteout, WHITEOUT_MODE } from "./whiteout.ts";

const { Errno, RenameFlag } = host;

/** Changes names of the diff for one thread. */
export class DiffNames {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /**
   * Whether a merged directory has no entries. Of a damaged directory of the lower tree those count
   * that can be read: nobody ever sees the others, and who has removed all the rest must be able to
   * remove it, too.
   */
  isEmpty(slot: number): boolean {
    const { table } = this.#context;
    const hidden = new Set<string>();
    const fd = table.fd(slot);
    if (fd >= 0) {
      for (const entry of readHostDirectory(fd)) {
        if (entry.name === MARKER_NAME) continue;
        host.unwrap(host.statAt(fd, entry.name, this.#stat), "stat", entry.name);
        if (!isWhiteout(this.#stat)) return false;
        hidden.add(entry.name);
      }
    }
    try {
      for (const { name } of this.#nodes.lowerDirectory(slot)?.entries() ?? []) {
        if (!hidden.has(name)) return false;
      }
    } catch (error) {
      // A disk that fails, or does not answer, may give them again.
      if (!(error instanceof FormatError || isDamage(error))) throw error;
    }
    return true;
  }

  /**
   * Reads the entries of the lower tree that {@link isEmpty} is about to ask for, which may have to
   * wait for its source. Needs no lock.
   */
  fetchEntries(parent: number, name: string): void {
    const lower = this.#nodes.lowerChild(parent, name);
    if (lower instanceof Failure || lower?.kind !== "directory") return;
    const isInDiff = this.#nodes.isInDiff(parent, name);
    try {
      // One that nothing hides says that the directory is not empty.
      for (const _ of lower.entries()) if (!isInDiff) return;
    } catch (error) {
      if (!(error instanceof Failure)) throw error;
    }
  }

  /** Makes a whiteout under a name, in place of what the diff has there. */
  placeWhiteout(parent: number, name: string): number {
    const { table, tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let result = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
    if (result === 0) result = host.renameAt(tmpFd, temporary, table.fd(parent), name);
    if (result < 0) host.unlinkAt(tmpFd, temporary);
    return result;
  }

  /** RENAME_EXCHANGE, or what comes closest where the host's file system lacks it. */
  exchange(fd: number, name: string, otherFd: number, otherName: string): number {
    const exchanged = host.renameAt(fd, name, otherFd, otherName, RenameFlag.EXCHANGE);
    if (exchanged !== -Errno.EINVAL) return exchanged;
    const { tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let result = host.renameAt(otherFd, otherName, tmpFd, temporary);
    if (result === 0) result = host.renameAt(fd, name, otherFd, otherName);
    if (result === 0) result = host.renameAt(tmpFd, temporary, fd, name);
    return result;
  }

  /** Renames, and leaves a whiteout under the old name when the lower tree has something there. */
  rename(
    fd: number,
    name: string,
    newFd: number,
    newName: string,
    needsWhiteout: boolean,
  ): number {
    if (!needsWhiteout) return host.renameAt(fd, name, newFd, newName);
    const renamed = host.renameAt(fd, name, newFd, newName, RenameFlag.WHITEOUT);
    if (renamed !== -Errno.EINVAL) return renamed;
    // A host file system without whiteout renames: a kill between the two shows the file under both
    // names.
    const { tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let result = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
    if (result === 0) result = host.renameAt(fd, name, newFd, newName);
    if (result === 0) result = host.renameAt(tmpFd, temporary, fd, name);
    if (result < 0) host.unlinkAt(tmpFd, temporary);
    return result;
  }

  /**
   * Removes a directory of the diff that is empty but for whiteouts and a marker. Where the lower
   * tree has the name too, a whiteout comes in its place at the same moment, so that a kill lets
   * nothing show through.
   */
  removeDirectory(parentFd: number, name: string, needsWhiteout: boolean): number {
    const { tmpFd } = this.#context;
    const temporary = this.#context.temporaryName();
    let removed: number;
    if (needsWhiteout) {
      removed = host.mknodAt(tmpFd, temporary, WHITEOUT_MODE, 0);
      if (removed < 0) return removed;
      removed = this.exchange(tmpFd, temporary, parentFd, name);
      if (removed < 0) host.unlinkAt(tmpFd, temporary);
    } else {
      removed = host.rmdirAt(parentFd, name);
      if (removed !== -Errno.ENOTEMPTY && removed !== -Errno.EEXIST) return removed;
      // Whiteouts and a marker are left: gone with one rename, cleared away after.
      removed = host.renameAt(parentFd, name, tmpFd, temporary);
    }
    if (removed === 0) removeHostTree(tmpFd, temporary);
    return removed;
  }
}
