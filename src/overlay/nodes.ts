/**
 * From names to nodes: what a name means in the merged tree, and the life of a node in the shared
 * table.
 *
 * A name is what the diff says; where the diff says nothing, what the lower tree says. In the diff,
 * a character device 0:0 (a *whiteout*) says that the name is gone.
 *
 * All methods want the namespace lock unless they say otherwise.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { Failure, OsError } from "#src/errors.ts";
import type { DirectoryNode, Node, SymlinkNode } from "#src/tree/node.ts";
import type { OverlayContext } from "./context.ts";
import { LIVE_NAMES } from "./control_directory.ts";
import { areCopiesAnnounced } from "./copy_mark.ts";
import { CONTROL_DIRECTORY_NAME } from "./diff_place.ts";
import { MARKER_NAME, readMarker } from "./directory_marker.ts";
import { type Found, type LowerChild, volatileName } from "./found.ts";
import { readHostDirectory } from "./host_directory.ts";
import { parseLinkReference } from "./link_reference.ts";
import { continuedDirectory, referredLink } from "./lower_reference.ts";
import { Flag } from "./node_flags.ts";
import { lowerKey, noteMode, ROOT_SLOT } from "./node_table.ts";
import { type HostPlace, PartialProbe } from "./partial_probe.ts";
import { isWhiteout } from "./whiteout.ts";

const { Errno, OpenFlag } = host;

/** Finds, makes and forgets nodes for one thread. */
export class Nodes {
  readonly #context: OverlayContext;
  readonly #probe: PartialProbe;
  readonly #stat = new host.HostStat();

  /**
   * Set by who copies up: gives a name of the lower tree the file that stands for it in the diff
   * when that came there under another name. Returns 1 when there is one, 0, or a negative errno.
   */
  nameLinked: (parent: number, name: string, lower: Node) => number = () => 0;

  constructor(context: OverlayContext) {
    this.#context = context;
    this.#probe = new PartialProbe(context);
  }

  /** Whether the root is there, and complete. Needs no lock. */
  get hasRoot(): boolean {
    return this.#context.table.has(ROOT_SLOT, Flag.UPPER);
  }

  /** Makes the root node. Only the first of all threads does something. */
  ensureRoot(): void {
    const { table, lower, dataFd } = this.#context;
    if (table.slotOf(ROOT_SLOT) !== 0) return;
    const fd = host.unwrap(
      host.openAt(dataFd, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY),
      "open",
      "data",
    );
    host.unwrap(host.statFd(fd, this.#stat), "stat", "data");
    if (areCopiesAnnounced(this.#context.diffPath)) table.noteCopies();
    if (readHostDirectory(this.#context.linksFd).length > 0) table.noteLinkedFiles();
    const slot = table.allocate(this.#stat.ino, 1, EntryType.DIRECTORY, 0, "");
    table.setFd(slot, fd);
    table.setLowerId(slot, lower.root.id);
    table.setFlags(slot, Flag.UPPER);
  }

  /** The lower directory that a directory continues, or undefined. */
  lowerDirectory(slot: number): DirectoryNode | undefined {
    const id = this.#context.table.lowerId(slot);
    if (id === 0) return undefined;
    const node = this.#context.lower.nodeById(id);
    return node?.kind === "directory" ? node : undefined;
  }

  /**
   * What the lower tree has under a name. Wants no lock: it may have to wait for its source, and
   * nobody else should.
   */
  lowerChild(parent: number, name: string): LowerChild {
    try {
      return this.lowerDirectory(parent)?.lookup(name);
    } catch (error) {
      if (error instanceof Failure) return error;
      throw error;
    }
  }

  /** Whether this is the directory of the files that this program keeps in the mount. */
  isControlDirectory(slot: number): boolean {
    const { table } = this.#context;
    return table.parent(slot) === ROOT_SLOT && table.name(slot) === CONTROL_DIRECTORY_NAME;
  }

  /**
   * Whether a name belongs to this program: it can be neither made nor removed through the mount.
   * Such are the control directory, this program's files in it, and what the lower tree has there:
   * names that links of the tree rely on.
   */
  isReserved(parent: number, name: string, lower: LowerChild): boolean {
    if (parent === ROOT_SLOT) return name === CONTROL_DIRECTORY_NAME;
    if (!this.isControlDirectory(parent)) return false;
    return LIVE_NAMES.has(name) || lower !== undefined;
  }

  /**
   * Whether listings show a name. The control directory can be looked up by its name, but is not
   * listed: programs that copy, compare, measure or remove a tree must not find it.
   */
  isListed(parent: number, name: string): boolean {
    return name !== MARKER_NAME && (parent !== ROOT_SLOT || name !== CONTROL_DIRECTORY_NAME);
  }

  /** Whether this is a directory whose changes go with the mount. */
  isVolatileDirectory(parent: number, name: string): boolean {
    return parent === ROOT_SLOT && this.#context.options.volatileDirectories.includes(name);
  }

  /**
   * Whether a node that stands only in the lower tree goes with its name: it has no other one
   * there.
   */
  hasOneLowerName(slot: number): boolean {
    const node = this.#context.lower.nodeById(this.#context.table.lowerId(slot));
    return node === undefined || node.kind === "directory" || node.attributes.nlink <= 1;
  }

  /** The descriptor and name under which the host has (or would have) `name`. */
  hostPlace(parent: number, name: string): HostPlace {
    if (parent === ROOT_SLOT) {
      const index = this.#context.options.volatileDirectories.indexOf(name);
      if (index >= 0) return { fd: this.#context.tmpFd, name: volatileName(index) };
    }
    return { fd: this.#context.table.fd(parent), name };
  }

  /** Whether the diff has a name, or hides it. Needs no lock for a directory that is in use. */
  isInDiff(parent: number, name: string): boolean {
    const place = this.hostPlace(parent, name);
    return place.fd >= 0 && host.statAt(place.fd, place.name, this.#stat) === 0;
  }

  /**
   * Looks up what a name means; `lower` is what {@link lowerChild} said of it.
   *
   * @returns 0 (also when the name does not exist), or a negative errno
   * @throws {Failure} `lower`, where the diff does not have the name
   */
  find(parent: number, name: string, lower: LowerChild, found: Found): number {
    const { table } = this.#context;
    found.upper = false;
    found.whiteout = false;
    found.lower = undefined;
    found.damage = undefined;
    if (table.type(parent) !== EntryType.DIRECTORY) return -Errno.ENOTDIR;
    if (name === MARKER_NAME) return -Errno.EPERM;
    if (table.has(parent, Flag.DELETED)) return -Errno.ENOENT;
    if (table.fd(parent) >= 0) {
      const place = this.hostPlace(parent, name);
      const result = host.statAt(place.fd, place.name, found.stat);
      if (result === 0) {
        found.whiteout = isWhiteout(found.stat);
        found.upper = !found.whiteout;
      } else if (result !== -Errno.ENOENT) {
        return result;
      }
    }
    const isInDiff = found.upper || found.whiteout;
    if (lower instanceof Failure) {
      if (!isInDiff) throw lower;
      found.damage = lower;
      return 0;
    }
    found.lower = lower;
    if (isInDiff || lower === undefined) return 0;
    const named = this.nameLinked(parent, name, lower);
    if (named <= 0) return named;
    const result = host.statAt(table.fd(parent), name, found.stat);
    found.upper = result === 0;
    return result;
  }

  /** The known slot of what was found, or 0. */
  knownSlot(found: Found): number {
    const { table } = this.#context;
    if (found.upper) return table.find(found.stat.ino);
    return found.lower === undefined ? 0 : table.find(lowerKey(found.lower.id));
  }

  /**
   * The node of a name that exists; makes it when the kernel does not know it yet.
   *
   * @throws {FormatError} when the diff's file is damaged
   * @throws {OsError}
   */
  slotFor(parent: number, name: string, found: Found): number {
    const { table } = this.#context;
    const known = this.knownSlot(found);
    if (known !== 0) {
      // With several names any is good, but a name that still exists is better.
      if (!table.has(known, Flag.DELETED)) table.move(known, parent, name);
      return known;
    }
    const slot = found.upper
      ? this.#makeUpper(parent, name, found)
      : this.#makeLower(parent, name, found.lower!);
    if (table.has(parent, Flag.VOLATILE)) table.setFlags(slot, Flag.VOLATILE);
    return slot;
  }

  #makeLower(parent: number, name: string, node: Node): number {
    const { table } = this.#context;
    const key = lowerKey(node.id);
    const slot = table.allocate(key, key, entryType(node.attributes.mode), parent, name);
    table.setLowerId(slot, node.id);
    return slot;
  }

  #makeUpper(parent: number, name: string, found: Found): number {
    const type = entryType(found.stat.mode);
    if (type === EntryType.DIRECTORY) return this.#makeUpperDirectory(parent, name, found);
    if (type === EntryType.FILE) return this.#makeUpperFile(parent, name, found);
    const lowerId = type === EntryType.SYMLINK ? this.#referredLink(parent, name)?.id ?? 0 : 0;
    const ino = lowerId !== 0 ? lowerKey(lowerId) : found.stat.ino;
    const { table } = this.#context;
    const slot = table.allocate(found.stat.ino, ino, type, parent, name);
    table.setLowerId(slot, lowerId);
    table.setFlags(slot, Flag.UPPER);
    return slot;
  }

  /** The link of the lower tree that a link of the diff stands for, or undefined. */
  #referredLink(parent: number, name: string): SymlinkNode | undefined {
    const { lower, nonce } = this.#context;
    const place = this.hostPlace(parent, name);
    const text = host.readlinkAt(place.fd, place.name);
    if (typeof text === "number") throw new OsError(-text, "readlink", name);
    const path = parseLinkReference(nonce, decodeFileName(text));
    return path === undefined ? undefined : referredLink(lower, path);
  }

  #makeUpperDirectory(parent: number, name: string, found: Found): number {
    const { table } = this.#context;
    const place = this.hostPlace(parent, name);
    const fd = host.unwrap(
      host.openAt(
        place.fd,
        place.name,
        OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW,
      ),
      "open",
      name,
    );
    let lowerId = 0;
    try {
      const marker = this.readMarker(fd);
      lowerId = continuedDirectory(this.#context.lower, marker, () => found.lower)?.id ?? 0;
    } catch (error) {
      host.close(fd);
      throw error;
    }
    const ino = lowerId !== 0 ? lowerKey(lowerId) : found.stat.ino;
    const slot = table.allocate(found.stat.ino, ino, EntryType.DIRECTORY, parent, name);
    table.setFd(slot, fd);
    table.setLowerId(slot, lowerId);
    const isVolatile = place.fd === this.#context.tmpFd;
    table.setFlags(slot, isVolatile ? Flag.UPPER | Flag.VOLATILE : Flag.UPPER);
    return slot;
  }

  /** What `readMarker()` says. */
  readMarker(fd: number): string | undefined | null {
    return readMarker(fd, this.#context.copyBuffer);
  }

  #makeUpperFile(parent: number, name: string, found: Found): number {
    const { table } = this.#context;
    const { stat } = found;
    const isLive = this.isControlDirectory(parent) && LIVE_NAMES.has(name);
    const partial = this.#probe.read(this.hostPlace(parent, name), name, stat.size);
    const ino = partial === undefined ? stat.ino : lowerKey(partial.lowerId);
    const slot = table.allocate(stat.ino, ino, EntryType.FILE, parent, name);
    if (partial !== undefined) {
      table.setLowerId(slot, partial.lowerId);
      table.setPartial(slot, partial.dataOffset, partial.mapBlocks, partial.limit);
    }
    if (this.#probe.isUnsyncedCopy) table.setFlags(slot, Flag.COPY_UNSYNCED);
    table.setFlags(slot, Flag.UPPER | (partial?.flags ?? 0) | (isLive ? Flag.LIVE : 0));
    noteMode(table, slot, stat.mode);
    return slot;
  }

  /** Path in the lower tree of the directory that a directory continues. */
  lowerPathOfDirectory(slot: number): string {
    const { table } = this.#context;
    if (slot === ROOT_SLOT) return "";
    if (table.fd(slot) >= 0) {
      const marker = this.readMarker(table.fd(slot));
      if (typeof marker === "string") return marker;
    }
    return this.lowerPathIn(table.parent(slot), table.name(slot));
  }

  /** Path in the lower tree of `name` in the directory that `parent` continues. */
  lowerPathIn(parent: number, name: string): string {
    const directory = this.lowerPathOfDirectory(parent);
    return directory === "" ? name : `${directory}/${name}`;
  }

  /**
   * Opens the shared descriptor of a regular file of the diff, when it is not open.
   *
   * @returns the descriptor, or a negative errno
   */
  ensureFileFd(slot: number): number {
    const { table } = this.#context;
    const open = table.fd(slot);
    if (open >= 0) return open;
    const place = this.hostPlace(table.parent(slot), table.name(slot));
    let fd = host.openAt(place.fd, place.name, OpenFlag.RDWR | OpenFlag.NOFOLLOW);
    if (fd === -Errno.EACCES || fd === -Errno.EPERM || fd === -Errno.EROFS) {
      // The owner may have taken the write permission away from himself, the disk may have been set
      // read-only.
      fd = host.openAt(place.fd, place.name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
      if (fd >= 0) table.setFlags(slot, Flag.READ_ONLY_FD);
    }
    if (fd >= 0) table.setFd(slot, fd);
    return fd;
  }

  /** Opens the shared descriptor anew, now for writing too. @returns 0 or a negative errno */
  reopenForWriting(slot: number): number {
    const { table } = this.#context;
    const former = table.fd(slot);
    const fd = host.open(`/proc/self/fd/${former}`, OpenFlag.RDWR);
    if (fd < 0) return fd;
    // Other threads may be reading through the number: it stays, and only what it means changes.
    const result = host.replaceFd(fd, former);
    host.close(fd);
    if (result < 0) return result;
    table.clearFlags(slot, Flag.READ_ONLY_FD);
    return 0;
  }

  /** Target of a symbolic link. @returns the target, or a negative errno */
  readLink(slot: number): string | number {
    const { table, lower } = this.#context;
    // A link that came up from the lower tree has that one's target for ever: links do not change.
    if (table.lowerId(slot) !== 0) {
      const node = lower.nodeById(table.lowerId(slot));
      return node?.kind === "symlink" ? node.target : -Errno.EINVAL;
    }
    const isOpen = table.fd(slot) >= 0;
    const place = isOpen
      ? { fd: table.fd(slot), name: "" }
      : this.hostPlace(table.parent(slot), table.name(slot));
    const target = host.readlinkAt(place.fd, place.name);
    return typeof target === "number" ? target : decodeFileName(target);
  }

  /** Keeps hold of a node of the diff whose name is about to go. */
  pin(slot: number): void {
    const { table } = this.#context;
    table.setFlags(slot, Flag.PINNED);
    if (table.fd(slot) >= 0 || !table.has(slot, Flag.UPPER)) return;
    if (table.type(slot) === EntryType.FILE) {
      this.ensureFileFd(slot);
      return;
    }
    const place = this.hostPlace(table.parent(slot), table.name(slot));
    const fd = host.openAt(place.fd, place.name, OpenFlag.PATH | OpenFlag.NOFOLLOW);
    if (fd >= 0) table.setFd(slot, fd);
  }

  /**
   * Frees a node without lookups, handles and children, unless its number is to be kept, and then
   * its parents if they have become unused.
   */
  freeIfUnused(slot: number): void {
    const { table } = this.#context;
    let current = slot;
    while (
      current !== ROOT_SLOT && current !== 0 && table.lookups(current) <= 0 &&
      table.opens(current) <= 0 && table.children(current) === 0
    ) {
      const fd = table.fd(current);
      if (fd >= 0) host.close(fd);
      if (table.isKept(current)) {
        table.setFd(current, -1);
        table.clearFlags(current, Flag.READ_ONLY_FD | Flag.PINNED);
        return;
      }
      const parent = table.parent(current);
      table.free(current);
      current = parent;
    }
  }
}
