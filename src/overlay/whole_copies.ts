/**
 * Whole copies: a file of the backup that is opened for writing is copied whole into the diff, so
 * that from then on the kernel reads and writes it alone (passthrough).
 *
 * A write through this program costs the writer two switches between processes, twenty times a
 * plain write, and the pages that the kernel keeps of a mounted file are slower than those of a
 * plain one. Only a file that lies in the diff from its first to its last byte can be left to the
 * kernel, and only from an open on that finds no other handle. Servers keep files open for hours;
 * so it is the first open for writing that decides.
 *
 * What it costs is bounded: by a total size for one mount, and by the space that is free. The copy
 * is made with no lock held, so that other requests go on. While the mount is hydrated
 * (`hydration/`) there is no total, and small files are copied too.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import type { FileNode } from "#src/tree/node.ts";
import type { OverlayContext } from "./context.ts";
import { announceCopies, markCopy } from "./copy_mark.ts";
import type { CopyJobs } from "./copy_job.ts";
import type { CopyUp } from "./copy_up.ts";
import type { HydrationState } from "./hydration/hydration_state.ts";
import { canChange, hasSeveralNames } from "./lower_node.ts";
import { Flag } from "./node_flags.ts";

const { Errno, OpenFlag } = host;

/** Smaller files cost more to copy than their few requests do. */
export const WHOLE_COPY_SIZE_MIN = 1 << 20;

/** Larger files take longer to copy than an open(2) may take, where the total has no bound. */
const HYDRATED_SIZE_MAX = 64 << 20;

/** The disk must have so many times the size of a copy free: it belongs to the writes. */
const FREE_SPACE_FACTOR = 4;

/** Makes whole copies for one thread. */
export class WholeCopies {
  readonly jobs: CopyJobs;
  readonly #context: OverlayContext;
  readonly #copyUp: CopyUp;
  readonly #hydration: HydrationState;

  constructor(
    context: OverlayContext,
    copyUp: CopyUp,
    jobs: CopyJobs,
    hydration: HydrationState,
  ) {
    this.#context = context;
    this.#copyUp = copyUp;
    this.jobs = jobs;
    this.#hydration = hydration;
  }

  /**
   * Before a file is opened for writing: copies it when it is worth it. Takes the namespace lock at
   * the end. Whatever does not work leaves the file as it was, to be changed by blocks.
   *
   * @param callHelpers wakes other threads
   */
  prepare(slot: number, callHelpers: () => void): void {
    const node = this.#candidate(slot);
    if (node === undefined) return;
    this.jobs.helpWith(node.id);
    // Another thread may have made it in the meantime.
    if (!this.#isUntouched(slot)) return;
    const { size } = node.attributes;
    if (!this.#hasSpace(size)) return;
    // All of it comes into the diff anyhow: the sooner, the sooner the kernel has it.
    if (this.#hydration.isWanted) return void this.#make(slot, node, callHelpers);
    if (!this.jobs.spend(size, this.#context.options.wholeCopyBytesMax)) return;
    if (!this.#make(slot, node, callHelpers)) this.jobs.giveBack(size);
  }

  /** The lower file that is to be copied. */
  #candidate(slot: number): FileNode | undefined {
    const { backing, lower, options, table } = this.#context;
    const isHydrating = this.#hydration.isWanted;
    if (backing === undefined || (options.wholeCopyBytesMax === 0 && !isHydrating)) {
      return undefined;
    }
    if (!this.#isUntouched(slot)) return undefined;
    const node = lower.nodeById(table.lowerId(slot));
    if (node?.kind !== "file" || !canChange(node) || hasSeveralNames(node)) return undefined;
    const { size, dataBytes = size } = node.attributes;
    if (isHydrating && size > 0 && size <= HYDRATED_SIZE_MAX) return node;
    // Zeros that take no space below would take some in the copy.
    if (dataBytes < size) return undefined;
    return size >= WHOLE_COPY_SIZE_MIN && size <= options.wholeCopyBytesMax ? node : undefined;
  }

  /** Whether the file is unchanged, only in the lower tree, and not open. */
  #isUntouched(slot: number): boolean {
    const { table } = this.#context;
    const changed = Flag.UPPER | Flag.DELETED | Flag.VOLATILE | Flag.SETID;
    return (table.flags(slot) & changed) === 0 && table.opens(slot) === 0;
  }

  #hasSpace(sizeBytes: number): boolean {
    const space = host.statvfs(this.#context.tmpFd);
    return typeof space !== "number" &&
      space.blocksAvailable * space.blockSizeBytes >= FREE_SPACE_FACTOR * sizeBytes;
  }

  /** @returns whether the file is now a whole copy */
  #make(slot: number, node: FileNode, callHelpers: () => void): boolean {
    const { tmpFd, bootId } = this.#context;
    const temporary = this.#context.temporaryName();
    const flags = OpenFlag.RDWR | OpenFlag.CREAT | OpenFlag.EXCL | OpenFlag.NOFOLLOW;
    const fd = host.openAt(tmpFd, temporary, flags, 0o600);
    if (fd < 0) return false;
    let result: number;
    try {
      result = markCopy(fd, bootId);
      if (result === 0) result = this.jobs.copy(node.id, node.attributes.size, fd, callHelpers);
      if (result === 0) result = this.#place(slot, node, temporary, fd);
    } catch (error) {
      this.#drop(temporary, fd, -Errno.EIO);
      throw error;
    }
    if (result !== 0) this.#drop(temporary, fd, result);
    return result === 0;
  }

  #drop(temporary: string, fd: number, result: number): void {
    const { tmpFd } = this.#context;
    host.unlinkAt(tmpFd, temporary);
    // A thread that never came back may still write to the descriptor.
    if (result !== -Errno.ETIMEDOUT) host.close(fd);
  }

  /** Renames the copy into place, unless the file was opened or changed meanwhile. */
  #place(slot: number, node: FileNode, temporary: string, fd: number): number {
    const { table, counters, bootId, diffPath } = this.#context;
    table.lockNamespace();
    try {
      if (!this.#isUntouched(slot)) return -Errno.EBUSY;
      if (!table.hasCopies) {
        announceCopies(diffPath, bootId);
        table.noteCopies();
      }
      const result = this.#copyUp.placeCopy(slot, node, temporary, fd);
      if (result < 0) return result;
      counters.add("wholeCopies", 1);
      counters.add("bytesCopied", node.attributes.size);
      return 0;
    } catch (error) {
      if (error instanceof host.OsError) return -error.errno;
      throw error;
    } finally {
      table.unlockNamespace();
    }
  }
}
