/**
 * Attributes of nodes: asked of the host each time for what stands in the diff, fixed for the rest.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import { OsError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import type { AttributesSlot } from "#src/tree/file_system.ts";
import type { OverlayContext } from "./context.ts";
import { Flag, IoMode } from "./node_flags.ts";
import type { Nodes } from "./nodes.ts";

const { Errno } = host;

/** How long the kernel may keep names and attributes: the tree changes only through the mount. */
export const CACHE_TIMEOUT_SECONDS = 86_400;

/**
 * How long the kernel may keep attributes of a file that it reads and writes by itself. It says
 * nothing of what is stored through a mapping of such a file, and the file counts as open until the
 * last mapping is gone; so it must ask again for the times. `open`, `flush` and `fsync` make it ask
 * at once. To let it keep nothing would cost a database a request for every query, since the
 * planner asks for the sizes of tables.
 */
const BACKED_TIMEOUT_SECONDS = 0.01;

/** Reads attributes for one thread. */
export class NodeAttributes {
  readonly #context: OverlayContext;
  readonly #nodes: Nodes;
  readonly #stat = new host.HostStat();

  constructor(context: OverlayContext, nodes: Nodes) {
    this.#context = context;
    this.#nodes = nodes;
  }

  /**
   * Attributes of a node. Takes the locks that it needs.
   *
   * @returns 0 or a negative errno
   */
  get(slot: number, out: AttributesSlot): number {
    const { table } = this.#context;
    if (!table.has(slot, Flag.UPPER)) {
      this.fromLower(slot, out);
      return 0;
    }
    // The node's lock keeps the descriptor open; without one the name is needed, and so the other
    // lock.
    table.lockNode(slot);
    try {
      if (table.fd(slot) >= 0) return this.read(slot, out);
    } finally {
      table.unlockNode(slot);
    }
    table.lockNamespace();
    try {
      return this.read(slot, out);
    } finally {
      table.unlockNamespace();
    }
  }

  /**
   * Attributes of a node. Wants the namespace lock, or that of a node with a descriptor.
   *
   * @returns 0 or a negative errno
   */
  read(slot: number, out: AttributesSlot): number {
    const { table } = this.#context;
    if (!table.has(slot, Flag.UPPER)) {
      this.fromLower(slot, out);
      return 0;
    }
    const result = this.#statUpper(slot);
    if (result < 0) return result;
    this.#fromHost(slot, this.#stat, out);
    return 0;
  }

  #statUpper(slot: number): number {
    const { table } = this.#context;
    const fd = table.fd(slot);
    if (fd >= 0) return host.statFd(fd, this.#stat);
    const place = this.#nodes.hostPlace(table.parent(slot), table.name(slot));
    return host.statAt(place.fd, place.name, this.#stat);
  }

  /** Attributes of a node that stands only in the lower tree. Needs no lock. */
  fromLower(slot: number, out: AttributesSlot): void {
    const { table, lower } = this.#context;
    const node = lower.nodeById(table.lowerId(slot));
    if (node === undefined) throw new OsError(Errno.EIO, "stat", `lower node of ${slot}`);
    const { mode, uid, gid, size, dataBytes, mtime, nlink, rdev } = node.attributes;
    out.ino = table.ino(slot);
    out.size = size;
    out.blocks = Math.ceil((dataBytes ?? size) / 512);
    out.mode = mode;
    out.nlink = table.has(slot, Flag.DELETED) ? 0 : node.kind === "directory" ? 1 : nlink;
    out.uid = uid;
    out.gid = gid;
    out.rdev = rdev;
    out.blockSizeBytes = 4096;
    out.atimeSeconds = out.mtimeSeconds = out.ctimeSeconds = mtime.seconds;
    out.atimeNanoseconds = out.mtimeNanoseconds = out.ctimeNanoseconds = mtime.nanoseconds;
    out.timeoutSeconds = CACHE_TIMEOUT_SECONDS;
  }

  /** How long the kernel may keep the attributes of a node of the diff. */
  timeoutSeconds(slot: number): number {
    const { table } = this.#context;
    if (table.has(slot, Flag.LIVE)) return 0;
    return table.ioMode(slot) === IoMode.PASSTHROUGH
      ? BACKED_TIMEOUT_SECONDS
      : CACHE_TIMEOUT_SECONDS;
  }

  /** Translates host attributes of a node of the diff. */
  #fromHost(slot: number, stat: host.HostStat, out: AttributesSlot): void {
    const { table, lower } = this.#context;
    const flags = table.flags(slot);
    const type = table.type(slot);
    out.ino = table.ino(slot);
    if ((flags & Flag.PARTIAL) !== 0) {
      out.size = stat.size - table.dataOffset(slot);
      // What both layers may have, since to tell which blocks lie in which one the map would have
      // to be read.
      const limit = table.limit(slot);
      const dataBytes = lower.nodeById(table.lowerId(slot))?.attributes.dataBytes ?? limit;
      const lowerBlocks = Math.ceil(Math.min(limit, dataBytes) / 512);
      out.blocks = Math.min(Math.ceil(out.size / 512), lowerBlocks + stat.blocks);
    } else {
      out.size = stat.size;
      out.blocks = stat.blocks;
    }
    if (type === EntryType.SYMLINK && table.lowerId(slot) !== 0) {
      out.size = lower.nodeById(table.lowerId(slot))?.attributes.size ?? 0;
    }
    out.mode = stat.mode;
    out.nlink = type === EntryType.DIRECTORY ? Math.min(stat.nlink, 1) : stat.nlink;
    out.uid = stat.uid;
    out.gid = stat.gid;
    out.rdev = stat.rdev;
    out.blockSizeBytes = stat.blockSizeBytes;
    out.atimeSeconds = stat.atimeSeconds;
    out.atimeNanoseconds = stat.atimeNanoseconds;
    out.mtimeSeconds = stat.mtimeSeconds;
    out.mtimeNanoseconds = stat.mtimeNanoseconds;
    out.ctimeSeconds = stat.ctimeSeconds;
    out.ctimeNanoseconds = stat.ctimeNanoseconds;
    out.timeoutSeconds = this.timeoutSeconds(slot);
  }
}
