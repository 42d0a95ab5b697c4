/**
 * The overlay: a writable tree over an immutable lower tree and a diff directory.
 *
 * It knows files and blocks, not databases and not backup formats. What is changed lies in the diff
 * directory in the form that docs/diff-directory.md describes; the diff's own files and directories
 * are the only truth about names, sizes, owners and times. Each thread has an overlay of its own
 * over the same shared state.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import * as host from "#ffi/libc/calls.ts";
import { NO_WAIT_GATE, type WaitGate } from "#src/io/wait_gate.ts";
import {
  type AttributeChange,
  type AttributesSlot,
  type Caller,
  Change,
  type EmitEntry,
  type EntrySlot,
  type FileSystem,
  type OpenSlot,
  type StatfsSlot,
} from "#src/tree/file_system.ts";
import { FileType, type MountableTree } from "#src/tree/node.ts";
import { AttributeChanges } from "./attribute_changes.ts";
import { type BackingRegistry, OverlayContext, type OverlayOptions } from "./context.ts";
import { CopyJobs } from "./copy_job.ts";
import { CopyUp } from "./copy_up.ts";
import { OverlayCounters } from "./counters.ts";
import { ExtendedAttributes } from "./extended_attributes.ts";
import { FileData } from "./file_data.ts";
import { Listings } from "./listing.ts";
import { Lookups } from "./lookups.ts";
import { NameRequests } from "./name_requests.ts";
import { Holes } from "./holes.ts";
import { HydrationState } from "./hydration/hydration_state.ts";
import { Flag, IoMode } from "./node_flags.ts";
import { NodeTable } from "./node_table.ts";
import { NodeAttributes } from "./node_attributes.ts";
import { Nodes } from "./nodes.ts";
import { OpenFiles } from "./open_files.ts";
import type { SharedState } from "./shared_state.ts";
import { Syncing } from "./syncing.ts";
import { WholeCopies } from "./whole_copies.ts";

const { Errno, OpenFlag } = host;

/** The lower tree, the diff and the shared memory that one thread's overlay uses. */
export interface OverlayParts extends OverlayOptions {
  /** This thread's own instance of the lower tree. */
  readonly lower: MountableTree;
  /** Directory of the diff, prepared by `prepareDiffTree()`. */
  readonly diffPath: string;
  /** The diff's nonce, 16 bytes. */
  readonly nonce: Uint8Array;
  /** What all threads share; see `createSharedState`. */
  readonly shared: SharedState;
  /** Number of this thread, from 0. */
  readonly worker: number;
  /** Kernel passthrough, where it works. */
  readonly backing?: BackingRegistry | undefined;
  /** Called around waits for other threads; the source of {@link lower} must use the same gate. */
  readonly gate?: WaitGate | undefined;
}

/**
 * Opens one thread's overlay over a diff that `prepareDiffTree` prepared.
 *
 * @throws {OsError} when the diff directory cannot be opened
 */
export function openOverlay(parts: OverlayParts): Overlay {
  const { gate = NO_WAIT_GATE } = parts;
  const table = new NodeTable(parts.shared.nodes, gate);
  const counters = new OverlayCounters(parts.shared.counters, parts.worker);
  const { lower, diffPath, nonce, backing } = parts;
  return new Overlay(
    new OverlayContext(diffPath, lower, nonce, table, counters, backing, parts),
    parts.shared,
    gate,
  );
}

/** One thread's view of the merged, writable tree. */
export class Overlay implements FileSystem {
  expireAttributes?: (nodeId: number) => void;
  readonly #context: OverlayContext;
  readonly #table: NodeTable;
  readonly #nodes: Nodes;
  readonly #attributes: NodeAttributes;
  readonly #lookups: Lookups;
  readonly #copyUp: CopyUp;
  readonly #names: NameRequests;
  readonly #data: FileData;
  readonly #holes: Holes;
  readonly #changes: AttributeChanges;
  readonly #files: OpenFiles;
  readonly #copies: WholeCopies;
  readonly #syncing: Syncing;
  readonly #listings: Listings;
  /** Undefined where files have none. */
  readonly #xattrs: ExtendedAttributes | undefined;

  /** Set by who serves it: wakes threads that have nothing to do, which then call {@link help}. */
  callHelpers?: () => void;

  /** Use `openOverlay()`, which puts the parts together and cleans up when one fails. */
  constructor(context: OverlayContext, shared: SharedState, gate: WaitGate) {
    this.#context = context;
    this.#table = context.table;
    this.#nodes = new Nodes(context);
    this.#attributes = new NodeAttributes(context, this.#nodes);
    this.#lookups = new Lookups(context, this.#nodes, this.#attributes);
    this.#copyUp = new CopyUp(context, this.#nodes);
    this.#data = new FileData(context);
    this.#holes = new Holes(context);
    this.#changes = new AttributeChanges(context, this.#nodes, this.#data);
    this.#files = new OpenFiles(context, {
      nodes: this.#nodes,
      copyUp: this.#copyUp,
      data: this.#data,
      changes: this.#changes,
    });
    this.#names = new NameRequests(context, {
      nodes: this.#nodes,
      attributes: this.#attributes,
      lookups: this.#lookups,
      copyUp: this.#copyUp,
      files: this.#files,
    });
    this.#copies = new WholeCopies(
      context,
      this.#copyUp,
      new CopyJobs(context, shared.copies, gate),
      new HydrationState(shared.hydration),
    );
    this.#syncing = new Syncing(context, this.#copyUp, this.#data);
    this.#listings = new Listings(context, this.#nodes);
    this.#xattrs = context.options.extendedAttributes
      ? new ExtendedAttributes(context, this.#nodes, this.#copyUp)
      : undefined;
    // The caller's umask counts, not that of this process.
    host.setUmask(0);
    // A thread that starts because the others wait must not wait for their locks.
    if (!this.#nodes.hasRoot) this.#makeRoot();
  }

  #makeRoot(): void {
    this.#table.lockNamespace();
    try {
      this.#nodes.ensureRoot();
    } finally {
      this.#table.unlockNamespace();
    }
  }

  close(): void {
    this.#context.close();
  }

  lookup(parentId: number, name: string, out: EntrySlot): number {
    const parent = this.#table.slotOf(parentId);
    return parent === 0 ? -Errno.ESTALE : this.#lookups.lookup(parent, name, out);
  }

  forget(nodeId: number, count: number): void {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return;
    this.#table.lockNamespace();
    try {
      if (this.#table.addLookups(slot, -count) <= 0) this.#nodes.freeIfUnused(slot);
    } finally {
      this.#table.unlockNamespace();
    }
  }

  /** Of a node that is not changed from the lower tree, else of its file in the diff. */
  getattr(nodeId: number, out: AttributesSlot): number {
    const slot = this.#table.slotOf(nodeId);
    return slot === 0 ? -Errno.ESTALE : this.#attributes.get(slot, out);
  }

  /** Gives a node of the lower tree its file in the diff first; the content need not be copied. */
  setattr(nodeId: number, change: AttributeChange, out: AttributesSlot): number {
    const isEmptied = (change.mask & Change.SIZE) !== 0 && change.size === 0;
    if (!isEmptied) this.#copyUp.fetch(this.#table.slotOf(nodeId));
    return this.#withNode(nodeId, (slot) => {
      let result = this.#copyUp.ensureUpper(slot, isEmptied);
      if (result === 0) result = this.#changes.apply(slot, change);
      return result < 0 ? result : this.#attributes.read(slot, out);
    });
  }

  /** Links that follow the mount are answered for where the mount is now. */
  readlink(nodeId: number): string | number {
    return this.#withNode(nodeId, (slot) => this.#nodes.readLink(slot));
  }

  mknod(
    parentId: number,
    name: string,
    mode: number,
    rdev: number,
    caller: Caller,
    out: EntrySlot,
  ): number {
    return this.#names.make(parentId, name, { mode, rdev, target: "" }, caller, out);
  }

  mkdir(parentId: number, name: string, mode: number, caller: Caller, out: EntrySlot): number {
    const directory = (mode & 0o7777) | FileType.DIRECTORY;
    return this.#names.make(parentId, name, { mode: directory, rdev: 0, target: "" }, caller, out);
  }

  symlink(parentId: number, name: string, target: string, caller: Caller, out: EntrySlot): number {
    const mode = FileType.SYMLINK | 0o777;
    return this.#names.make(parentId, name, { mode, rdev: 0, target }, caller, out);
  }

  link(nodeId: number, newParentId: number, newName: string, out: EntrySlot): number {
    return this.#names.link(nodeId, newParentId, newName, out);
  }

  unlink(parentId: number, name: string): number {
    return this.#names.unlink(parentId, name);
  }

  rmdir(parentId: number, name: string): number {
    return this.#names.rmdir(parentId, name);
  }

  rename(
    parentId: number,
    name: string,
    newParentId: number,
    newName: string,
    flags: number,
  ): number {
    return this.#names.rename(parentId, name, newParentId, newName, flags);
  }

  /**
   * Takes part in what another thread wants done, until `isWanted` says that this one has something
   * to do.
   */
  help(isWanted: () => boolean): void {
    this.#copies.jobs.help(isWanted);
  }

  open(nodeId: number, flags: number, killSuidgid: boolean, out: OpenSlot): number {
    const isEmptying = (flags & OpenFlag.TRUNC) !== 0;
    if ((flags & OpenFlag.ACCESS_MASK) !== OpenFlag.RDONLY && !isEmptying) {
      const slot = this.#table.slotOf(nodeId);
      if (slot !== 0) this.#copies.prepare(slot, () => this.callHelpers?.());
    }
    return this.#withNode(nodeId, (slot) => {
      const isEmptied = (flags & OpenFlag.TRUNC) !== 0;
      if (isEmptied) {
        const ready = this.#copyUp.ensureUpper(slot, true);
        if (ready < 0) return ready;
      }
      const opened = this.#files.open(slot, flags, isEmptied, killSuidgid, out);
      // The kernel got attributes with a long timeout before it read and wrote the file itself.
      if (opened === 0) this.#expireIfBacked(nodeId, slot);
      return opened;
    });
  }

  create(
    parentId: number,
    name: string,
    flags: number,
    mode: number,
    caller: Caller,
    entry: EntrySlot,
    open: OpenSlot,
  ): number {
    return this.#names.create(parentId, name, flags, mode, caller, entry, open);
  }

  read(
    nodeId: number,
    _handle: number,
    offset: number,
    size: number,
    target: NativeBuffer,
    start: number,
  ): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    const count = this.#data.read(slot, offset, size, target, start);
    if (count > 0 && this.#context.options.materializeOnRead) {
      this.#files.materialize(slot, offset, count);
    }
    return count;
  }

  write(
    nodeId: number,
    _handle: number,
    offset: number,
    size: number,
    source: NativeBuffer,
    start: number,
    killSuidgid: boolean,
  ): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    const ready = this.#files.prepareWrite(slot);
    if (ready < 0) return ready;
    const count = this.#data.write(slot, offset, size, source, start);
    if (killSuidgid && count > 0 && this.#table.has(slot, Flag.SETID)) {
      this.#changes.killSuidgid(slot, this.#table.fd(slot));
    }
    return count;
  }

  flush(nodeId: number, _handle: number): number {
    // Writes are not held back. What the kernel stores by itself it does not tell of, see
    // `node_attributes.ts`.
    if (this.#context.backing === undefined) return -Errno.ENOSYS;
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    this.#expireIfBacked(nodeId, slot);
    return 0;
  }

  /** The kernel may have stored into an open file without a word, through a mapping. */
  #expireIfBacked(nodeId: number, slot: number): void {
    if (this.#table.ioMode(slot) === IoMode.PASSTHROUGH) this.expireAttributes?.(nodeId);
  }

  /** Forgets the node if it has neither names, lookups nor other handles left. */
  release(nodeId: number, _handle: number): void {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return;
    this.#table.lockNamespace();
    try {
      this.#files.release(slot);
      this.#nodes.freeIfUnused(slot);
    } finally {
      this.#table.unlockNamespace();
    }
  }

  /** Also makes the names durable under which the file came into the diff. */
  fsync(nodeId: number, _handle: number, dataOnly: boolean): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    this.#expireIfBacked(nodeId, slot);
    return this.#syncing.syncFile(slot, dataOnly);
  }

  /** Changes the file in the diff, which is made when there is none. */
  fallocate(
    nodeId: number,
    _handle: number,
    mode: number,
    offset: number,
    length: number,
  ): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    const ready = this.#files.prepareWrite(slot);
    if (ready < 0) return ready;
    this.#data.fetchEnds(slot, offset, length);
    this.#table.lockNode(slot);
    try {
      return this.#data.fallocate(slot, mode, offset, length);
    } finally {
      this.#table.unlockNode(slot);
    }
  }

  lseek(nodeId: number, _handle: number, offset: number, whence: number): number {
    const slot = this.#table.slotOf(nodeId);
    return slot === 0 ? -Errno.ESTALE : this.#holes.seek(slot, offset, whence);
  }

  /** Writes to the target's file in the diff, which is made when there is none. */
  copyFileRange(
    nodeIdIn: number,
    offsetIn: number,
    nodeIdOut: number,
    offsetOut: number,
    length: number,
  ): number {
    const slotIn = this.#table.slotOf(nodeIdIn);
    const slotOut = this.#table.slotOf(nodeIdOut);
    if (slotIn === 0 || slotOut === 0) return -Errno.ESTALE;
    const ready = this.#files.prepareWrite(slotOut);
    if (ready < 0) return ready;
    return this.#data.copyRange(slotIn, offsetIn, slotOut, offsetOut, length);
  }

  /** Takes no list yet: {@link readdir} does when it starts. */
  opendir(nodeId: number, out: OpenSlot): number {
    if (this.#table.slotOf(nodeId) === 0) return -Errno.ESTALE;
    const handle = this.#listings.open();
    if (handle < 0) return handle;
    out.handle = handle;
    out.keepCache = false;
    out.directIo = false;
    out.backingId = 0;
    return 0;
  }

  readdir(nodeId: number, handle: number, cookie: number, emit: EmitEntry): number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    if (cookie === 0) {
      const taken = this.#listings.take(slot, handle);
      if (taken < 0) return taken;
    }
    return this.#listings.read(handle, cookie, emit);
  }

  /** Frees the list that {@link readdir} took. */
  releasedir(_nodeId: number, handle: number): void {
    this.#listings.close(handle);
  }

  /** Makes the names in the directory's part of the diff durable, where there is one. */
  fsyncdir(nodeId: number, _handle: number, _dataOnly: boolean): number {
    const slot = this.#table.slotOf(nodeId);
    return slot === 0 ? -Errno.ESTALE : this.#syncing.syncDirectory(slot);
  }

  /** Of the file system that the diff is on: that is where changes take space. */
  statfs(out: StatfsSlot): number {
    const found = host.statvfs(this.#context.dataFd);
    if (typeof found === "number") return found;
    out.blocks = found.blocks;
    out.blocksFree = found.blocksFree;
    out.blocksAvailable = found.blocksAvailable;
    out.files = found.files;
    out.filesFree = found.filesFree;
    out.blockSizeBytes = found.blockSizeBytes;
    out.nameLengthMax = 255;
    return 0;
  }

  setxattr(
    nodeId: number,
    name: string,
    value: Uint8Array,
    flags: number,
    killSgid: boolean,
  ): number {
    const slot = this.#table.slotOf(nodeId);
    return this.#xattrs?.set(slot, name, value, flags, killSgid) ?? -Errno.ENOSYS;
  }

  /** Files of the diff keep their own; of others those of the lower tree are given. */
  getxattr(nodeId: number, name: string): Uint8Array | number {
    return this.#xattrs?.get(this.#table.slotOf(nodeId), name) ?? -Errno.ENOSYS;
  }

  /** Without those in which the diff keeps its own records. */
  listxattr(nodeId: number): readonly string[] | number {
    return this.#xattrs?.list(this.#table.slotOf(nodeId)) ?? -Errno.ENOSYS;
  }

  /** On a node of the lower tree, after copying it up. */
  removexattr(nodeId: number, name: string): number {
    return this.#xattrs?.remove(this.#table.slotOf(nodeId), name) ?? -Errno.ENOSYS;
  }

  /** Runs `use` under the namespace lock. */
  #withNode<Result>(nodeId: number, use: (slot: number) => Result): Result | number {
    const slot = this.#table.slotOf(nodeId);
    if (slot === 0) return -Errno.ESTALE;
    this.#table.lockNamespace();
    try {
      return use(slot);
    } finally {
      this.#table.unlockNamespace();
    }
  }
}
