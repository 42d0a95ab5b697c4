/**
 * An archive as a tree.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { ALL_FIELDS, type Metadata } from "#src/tree/metadata.ts";
import { MetadataNode } from "#src/tree/metadata_node.ts";
import type {
  DeviceNode,
  DirectoryEntry,
  DirectoryNode,
  FileContent,
  FileNode,
  MountableTree,
  Node,
  PayloadRange,
  SpecialNode,
  StoredLink,
  SymlinkNode,
} from "#src/tree/node.ts";
import {
  directoryPlace,
  PxarAccessor,
  type PxarAccessorOptions,
  type PxarChild,
  type PxarLinkNode,
  type PxarNode,
} from "./accessor.ts";
import { dataBytesOf, HoleSearch, knownHoles } from "./reading/content_holes.ts";
import type { PxarEntry, PxarPayload } from "./entry.ts";
import { HEADER_SIZE } from "./format/item.ts";

/** Parts of the kernel's 32-bit device number. */
const MAJOR_MAX = 0xfffn;
const MINOR_MAX = 0xf_ffffn;

/**
 * Files that may have further names before it is worth reading all metadata to learn which ones do.
 */
const UNKNOWN_COUNT_MAX = 10_000;

/** A listing of a directory with at most so many entries keeps all that was decoded for them. */
const KEPT_ENTRIES_MAX = 4096;

/**
 * Opens the archive in `source`. Closing the tree closes `source` and the payload source.
 *
 * @throws {FormatError} what {@link PxarAccessor.open} throws; then nothing is closed
 */
export function openPxarTree(
  source: ByteSource,
  options: PxarTreeOptions = {},
): MountableTree {
  return pxarTree(PxarAccessor.open(source, options), options.linkCounts);
}

/** How an archive is opened as a tree. */
export interface PxarTreeOptions extends PxarAccessorOptions {
  /** Number of names of each file with several, by its id; see {@link pxarTree}. */
  readonly linkCounts?: ReadonlyMap<number, number> | undefined;
}

/**
 * An open archive as a tree. Closing it closes the sources that the archive is read from; whoever
 * wants to keep them open does not.
 *
 * Ids are byte offsets: that of the FILENAME header, and for a directory that of the last item of
 * its table, from which it can be found again. Hard links are their targets: the names of one file
 * have the id of the first one. How many there are is known only after reading the whole archive:
 * without `linkCounts` {@link Attributes.nlink} is always 1. ACLs and file capabilities are also
 * shown as the extended attributes that the kernel knows.
 *
 * @param linkCounts number of names of each file with several, by its id
 */
export function pxarTree(
  accessor: PxarAccessor,
  linkCounts?: ReadonlyMap<number, number>,
): MountableTree {
  return new PxarTree(accessor, linkCounts);
}

class PxarTree implements MountableTree {
  readonly knownFields = ALL_FIELDS;
  readonly root: DirectoryNode;
  readonly #archive: Archive;

  constructor(accessor: PxarAccessor, linkCounts: ReadonlyMap<number, number> | undefined) {
    this.#archive = new Archive(accessor, linkCounts);
    this.root = new PxarDirectory(this.#archive, accessor.root);
  }

  get prelude(): Uint8Array | undefined {
    return this.#archive.accessor.prelude;
  }

  nodeById(id: number): Node | undefined {
    const found = this.#archive.accessor.nodeAt(id);
    return found === undefined ? undefined : makeNode(this.#archive, found);
  }

  close(): void {
    const { source, payload } = this.#archive.accessor;
    source.close();
    payload?.close();
  }
}

/** What all nodes of a tree share: their origin. */
class Archive {
  #search: HoleSearch | undefined;
  #unknownCount = 0;
  /** Files that hard links refer to, once that is known. */
  #linkTargets: ReadonlySet<number> | undefined;

  constructor(
    readonly accessor: PxarAccessor,
    readonly linkCounts: ReadonlyMap<number, number> | undefined,
  ) {}

  get search(): HoleSearch {
    return this.#search ??= new HoleSearch(this.accessor.allocate);
  }

  /**
   * Undefined where there may be more than one. Learns which those are when it is asked about many.
   */
  linkCountOf(offset: number): number | undefined {
    if (this.linkCounts !== undefined) return this.linkCounts.get(offset) ?? 1;
    if (this.#linkTargets === undefined) {
      if (++this.#unknownCount <= UNKNOWN_COUNT_MAX) return undefined;
      this.#linkTargets = this.accessor.readLinkTargets();
    }
    return this.#linkTargets.has(offset) ? undefined : 1;
  }
}

function makeNode(archive: Archive, node: PxarNode): Node {
  const { entry } = node;
  switch (entry.kind) {
    case "directory":
      return new PxarDirectory(archive, node);
    case "file":
      return new PxarFile(archive, node, entry.payload);
    case "symlink":
      return new PxarSymlink(archive, node, entry);
    case "device":
      return new PxarDevice(archive, node, entry);
    default:
      return new PxarSpecial(archive, node, entry.kind);
  }
}

abstract class PxarNodeBase extends MetadataNode {
  readonly origin: Archive;
  readonly metadata: Metadata;
  protected readonly node: PxarNode;

  constructor(archive: Archive, node: PxarNode) {
    super();
    this.origin = archive;
    this.node = node;
    this.metadata = node.entry.metadata;
  }

  get id(): number {
    return this.node.offset;
  }

  get offset(): number {
    return this.node.offset;
  }
}

class PxarDirectory extends PxarNodeBase implements DirectoryNode {
  readonly kind = "directory";

  override get id(): number {
    return directoryPlace(this.node);
  }

  /** A directory that may hold more than can be read must not look complete. */
  get entryCount(): number | undefined {
    const { count, rebuilt } = this.node.table!;
    return rebuilt === undefined ? count : undefined;
  }

  lookup(name: string): Node | undefined {
    const found = this.origin.accessor.child(this.node, name);
    return found === undefined ? undefined : makeNode(this.origin, found);
  }

  lookupEntry(name: string): DirectoryEntry | undefined {
    const found = this.origin.accessor.storedChild(this.node, name);
    return found === undefined ? undefined : new PxarDirectoryEntry(this.origin, found, true);
  }

  *entries(onDamage?: (damage: Error) => void): Generator<DirectoryEntry> {
    const isSmall = this.node.table!.count <= KEPT_ENTRIES_MAX;
    for (const child of this.origin.accessor.readDirectory(this.node, onDamage)) {
      yield new PxarDirectoryEntry(this.origin, child, isSmall);
    }
  }
}

/**
 * An entry, kept as it was decoded or by its place: a directory may have a million of these.
 * Directories, which are not found again by their place, and links are always kept.
 */
class PxarDirectoryEntry implements DirectoryEntry {
  readonly name: string;
  readonly #archive: Archive;
  readonly #place: number | PxarChild;

  constructor(archive: Archive, child: PxarChild, isKept: boolean) {
    const { kind } = child.entry;
    this.name = child.name;
    this.#archive = archive;
    this.#place = isKept || kind === "directory" || kind === "hardlink" ? child : child.offset;
  }

  get link(): StoredLink | undefined {
    const place = this.#place;
    if (typeof place === "number" || place.entry.kind !== "hardlink") return undefined;
    const { kind, targetPath } = place.entry;
    return { kind, targetPath, offset: place.offset };
  }

  get node(): Node {
    const { accessor } = this.#archive;
    const place = this.#place;
    if (typeof place === "number") return makeNode(this.#archive, accessor.nodeAt(place)!);
    const node = place.entry.kind === "hardlink"
      ? accessor.resolveHardlink(place as PxarLinkNode)
      : place as PxarNode;
    return makeNode(this.#archive, node);
  }
}

class PxarFile extends PxarNodeBase implements FileNode {
  readonly kind = "file";
  readonly #payload: PxarPayload;

  constructor(archive: Archive, node: PxarNode, payload: PxarPayload) {
    super(archive, node);
    this.#payload = payload;
  }

  override get size(): number {
    return this.#payload.size;
  }

  get dataBytes(): number {
    return dataBytesOf(this.#payload, this.origin.accessor);
  }

  override get nlink(): number {
    return this.origin.linkCounts?.get(this.node.offset) ?? 1;
  }

  get linkCount(): number | undefined {
    return this.origin.linkCountOf(this.node.offset);
  }

  get payload(): PayloadRange {
    const { kind, offset, size } = this.#payload;
    return kind === "inline"
      ? { stream: "archive", offset, size }
      : { stream: "payload", offset: offset + HEADER_SIZE, size };
  }

  open(): FileContent {
    const { node, origin: { accessor, search } } = this;
    accessor.locatePayload(node);
    const readInto = (target: NativeBuffer, start: number, size: number, offset: number) => {
      return accessor.readContent(node, offset, target, start, size);
    };
    const holes = knownHoles(this.#payload, accessor) ?? search.in(readInto, this.#payload.size);
    return { readInto, ...holes, close: () => {} };
  }
}

class PxarSymlink extends PxarNodeBase implements SymlinkNode {
  readonly kind = "symlink";
  readonly target: string;

  constructor(archive: Archive, node: PxarNode, entry: PxarEntry & { kind: "symlink" }) {
    super(archive, node);
    this.target = entry.target;
  }

  override get size(): number {
    return encodeFileName(this.target).length;
  }
}

class PxarDevice extends PxarNodeBase implements DeviceNode {
  readonly kind = "device";
  readonly major: bigint;
  readonly minor: bigint;

  constructor(archive: Archive, node: PxarNode, entry: PxarEntry & { kind: "device" }) {
    super(archive, node);
    this.major = entry.major;
    this.minor = entry.minor;
  }

  /** @throws {FormatError} `bad-device` where the kernel has no such number */
  override get rdev(): number {
    const { major, minor } = this;
    if (major > MAJOR_MAX || minor > MINOR_MAX) {
      throw new FormatError(`Cannot show device ${major}:${minor}: no such device`, {
        code: "bad-device",
      });
    }
    return Number((minor & 0xffn) | major << 8n | (minor & ~0xffn) << 12n);
  }
}

class PxarSpecial extends PxarNodeBase implements SpecialNode {
  constructor(archive: Archive, node: PxarNode, readonly kind: "fifo" | "socket") {
    super(archive, node);
  }
}
