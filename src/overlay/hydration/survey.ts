/**
 * A walk through everything that a mount shows: what the diff has of it, and what it lacks.
 *
 * Directories, links and the rest are made to stand in the diff on the way; files are listed, since
 * their bytes take time. The walk goes by the overlay's own requests, so that renamed, removed and
 * new names are what they are.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { Failure, OsError } from "#src/errors.ts";
import { type AttributesSlot, EntrySlot, OpenSlot, ROOT_NODE_ID } from "#src/tree/file_system.ts";
import { BlockMaps } from "../block_map.ts";
import type { OverlayContext } from "../context.ts";
import type { CopyUp } from "../copy_up.ts";
import { CONTROL_DIRECTORY_NAME } from "../diff_place.ts";
import { Flag } from "../node_flags.ts";
import type { Overlay } from "../overlay.ts";
import { BLOCK_SIZE } from "../partial_file.ts";
import type { OwnFiles } from "./own_files.ts";

/** Most files that are listed at a time: what does not fit is found by the next walk. */
const FILES_MAX = 1 << 16;

/** Entries of a directory after which whoever walks may be interrupted. */
const STRIDE = 64;

/** What is wanted sooner comes first. */
const Rank = { WAL: 0, OPEN: 1, REST: 2 } as const;

/** A file that the diff does not have whole and durable. */
export interface LackingFile {
  readonly path: string;
  /** Bytes that are to be copied. */
  readonly bytes: number;
  readonly rank: number;
}

/** What a walk has found. */
export interface SurveyResult {
  /** In the order in which they are wanted. */
  readonly files: readonly LackingFile[];
  /** Paths of complete files that still have the form of partial ones. */
  readonly wrapped: readonly string[];
  readonly bytesDone: number;
  readonly bytesTotal: number;
  readonly filesDone: number;
  readonly filesTotal: number;
}

/** What a survey works with, all of one thread. */
export interface SurveyParts {
  readonly context: OverlayContext;
  readonly overlay: Overlay;
  readonly copyUp: CopyUp;
  readonly files: OwnFiles;
  /** Is told of what cannot be read in the source, or not be brought into the diff. */
  readonly leaveOut: (path: string, error: Failure) => void;
}

/** One walk. */
export class Survey {
  readonly #parts: SurveyParts;
  readonly #maps: BlockMaps;
  readonly #files: LackingFile[] = [];
  readonly #wrapped: string[] = [];
  #bytesDone = 0;
  #bytesTotal = 0;
  #filesDone = 0;
  #filesTotal = 0;
  #untilPause = STRIDE;

  constructor(parts: SurveyParts) {
    this.#parts = parts;
    this.#maps = new BlockMaps(parts.context);
  }

  /** Walks; yields now and then, with no lock held. */
  *run(): Generator<void, SurveyResult> {
    yield* this.#walk(ROOT_NODE_ID, "");
    // No list has it; the lower tree may have files there to which links lead.
    yield* this.#visit(ROOT_NODE_ID, "", CONTROL_DIRECTORY_NAME);
    this.#files.sort((one, other) => one.rank - other.rank || one.bytes - other.bytes);
    return {
      files: this.#files,
      wrapped: this.#wrapped,
      bytesDone: this.#bytesDone,
      bytesTotal: this.#bytesTotal,
      filesDone: this.#filesDone,
      filesTotal: this.#filesTotal,
    };
  }

  *#walk(nodeId: number, path: string): Generator<void> {
    const names = this.#list(nodeId, path);
    yield;
    for (const name of names) yield* this.#visit(nodeId, path, name);
  }

  *#visit(parentId: number, parentPath: string, name: string): Generator<void> {
    if (--this.#untilPause === 0) {
      this.#untilPause = STRIDE;
      yield;
    }
    const { overlay } = this.#parts;
    const path = parentPath === "" ? name : `${parentPath}/${name}`;
    const entry = new EntrySlot();
    if (!this.#attempt(path, () => overlay.lookup(parentId, name, entry))) return;
    // It was removed meanwhile.
    if (entry.nodeId === 0) return;
    try {
      if (!this.#attempt(path, () => this.#bringUp(entry.nodeId))) return;
      const slot = this.#parts.context.table.slotOf(entry.nodeId);
      const type = this.#parts.context.table.type(slot);
      if (type === EntryType.DIRECTORY) yield* this.#walk(entry.nodeId, path);
      else if (type === EntryType.FILE) {
        this.#attempt(path, () => this.#note(slot, path, entry.attributes));
      }
    } finally {
      overlay.forget(entry.nodeId, 1);
    }
  }

  /** The names in a directory. */
  #list(nodeId: number, path: string): string[] {
    const { overlay } = this.#parts;
    const names: string[] = [];
    const open = new OpenSlot();
    if (!this.#attempt(path, () => overlay.opendir(nodeId, open))) return names;
    let cookie = 0;
    for (let isMore = true; isMore;) {
      isMore = false;
      // What comes behind the last name that can be read may be damage.
      this.#attempt(
        path,
        () =>
          overlay.readdir(nodeId, open.handle, cookie, (name, _ino, _type, next) => {
            isMore = true;
            cookie = next;
            if (name !== "." && name !== "..") names.push(name);
            return true;
          }),
      );
    }
    overlay.releasedir(nodeId, open.handle);
    return names;
  }

  /** Makes what is no file stand in the diff. */
  #bringUp(nodeId: number): number {
    const { context: { table }, copyUp } = this.#parts;
    const slot = table.slotOf(nodeId);
    if (table.type(slot) === EntryType.FILE || table.has(slot, Flag.UPPER | Flag.VOLATILE)) {
      return 0;
    }
    copyUp.fetch(slot);
    table.lockNamespace();
    try {
      return table.has(slot, Flag.DELETED) ? 0 : copyUp.ensureUpper(slot);
    } finally {
      table.unlockNamespace();
    }
  }

  #note(slot: number, path: string, attributes: AttributesSlot): number {
    const { context: { table, lower } } = this.#parts;
    const flags = table.flags(slot);
    if ((flags & (Flag.LIVE | Flag.VOLATILE | Flag.DELETED)) !== 0) return 0;
    if ((flags & Flag.UPPER) === 0) {
      const node = lower.nodeById(table.lowerId(slot));
      if (node?.kind !== "file") throw new OsError(host.Errno.EIO, "read", path);
      const { size, dataBytes = size } = node.attributes;
      this.#add(slot, path, Math.min(size, dataBytes), 0, true);
      return 0;
    }
    if ((flags & Flag.PARTIAL) === 0) {
      const bytes = Math.min(attributes.size, attributes.blocks * 512);
      this.#add(slot, path, bytes, bytes, (flags & Flag.COPY_UNSYNCED) !== 0);
      return 0;
    }
    return this.#notePartial(slot, path);
  }

  #notePartial(slot: number, path: string): number {
    const { context: { table }, files } = this.#parts;
    const fd = files.open(slot);
    if (fd < 0) return fd;
    const stat = new host.HostStat();
    try {
      const result = host.statFd(fd, stat);
      if (result < 0) return result;
      const missing = this.#maps.countMissing(slot, fd);
      if (missing.durable < 0) return missing.durable;
      if (missing.durable === 0 && this.#wrapped.length < FILES_MAX) this.#wrapped.push(path);
      const size = stat.size - table.dataOffset(slot);
      const lacking = Math.min(size, missing.working * BLOCK_SIZE);
      const bytes = Math.min(size, stat.blocks * 512 + lacking);
      this.#add(slot, path, bytes, bytes - lacking, missing.durable > 0);
      return 0;
    } finally {
      host.close(fd);
    }
  }

  #add(slot: number, path: string, bytes: number, bytesDone: number, isLacking: boolean): void {
    this.#filesTotal += 1;
    this.#bytesTotal += bytes;
    this.#bytesDone += bytesDone;
    if (!isLacking) this.#filesDone += 1;
    else if (this.#files.length < FILES_MAX) {
      this.#files.push({ path, bytes: bytes - bytesDone, rank: this.#rank(slot, path) });
    }
  }

  #rank(slot: number, path: string): number {
    if (path.startsWith("pg_wal/")) return Rank.WAL;
    return this.#parts.context.table.opens(slot) > 0 ? Rank.OPEN : Rank.REST;
  }

  /**
   * Does something with an entry, and takes note where that fails for good.
   *
   * @returns whether it has worked
   * @throws {Failure} where it may work later
   */
  #attempt(path: string, act: () => number): boolean {
    try {
      const result = act();
      if (result >= 0) return true;
      // It was removed meanwhile.
      if (result === -host.Errno.ENOENT || result === -host.Errno.ESTALE) return false;
      throw new OsError(-result, "copy", path);
    } catch (error) {
      if (!isOfTheFile(error)) throw error;
      this.#parts.leaveOut(path === "" ? "." : path, error);
      return false;
    }
  }
}

/** Errors of the disk on which the diff lies: no other file would fare better. */
const DISK_ERRORS: ReadonlySet<number> = new Set([
  host.Errno.ENOSPC,
  host.Errno.EDQUOT,
  host.Errno.EROFS,
]);

/** Whether an error is about one file alone, and will be the same the next time. */
export function isOfTheFile(error: unknown): error is Failure {
  if (!(error instanceof Failure) || error.isTemporary) return false;
  return !(error instanceof OsError && DISK_ERRORS.has(error.errno));
}
