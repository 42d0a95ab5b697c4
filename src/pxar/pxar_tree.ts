/**
 * An archive as a tree.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type {
  Attributes,
  DirectoryEntry,
  DirectoryNode,
  FileContent,
  FileNode,
  Node,
  SpecialNode,
  SymlinkNode,
  Tree,
} from "#src/tree/node.ts";
import {
  directoryPlace,
  PxarAccessor,
  type PxarAccessorOptions,
  type PxarLinkNode,
  type PxarNode,
} from "./accessor.ts";
import {
  type ContentStreams,
  dataBytesOf,
  HoleSearch,
  knownHoles,
} from "./reading/content_holes.ts";
import type { PxarEntry, PxarMetadata, PxarPayload } from "./entry.ts";
import { encodeAccessAcl, encodeDefaultAcl } from "./format/posix_acl.ts";

const XATTR_CAPABILITY = "security.capability";
const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

/** Parts of the kernel's 32-bit device number. */
const MAJOR_MAX = 0xfffn;
const MINOR_MAX = 0xf_ffffn;

/**
 * Opens the archive in `source`. Closing the tree closes `source` and the payload source.
 *
 * Ids are byte offsets: that of the FILENAME header, and for a directory that of the last item of
 * its table, from which it can be found again. The names of a hard-linked file have the id of the
 * first one. How many there are is known only after reading the whole archive: without
 * {@link PxarTreeOptions.linkCounts} {@link Attributes.nlink} is always 1 and
 * {@link Tree.countsLinks} false. ACLs and file capabilities are shown as the extended attributes
 * that the kernel knows.
 *
 * @throws {FormatError} what {@link PxarAccessor.open} throws; then nothing is closed
 */
export function openPxarTree(source: ByteSource, options: PxarTreeOptions = {}): Tree {
  const accessor = PxarAccessor.open(source, options);
  return new PxarTree({
    accessor,
    source,
    payload: options.payload,
    search: new HoleSearch(options.allocate ?? plainBuffer),
    linkCounts: options.linkCounts,
  });
}

/** How an archive is opened as a tree. */
export interface PxarTreeOptions extends PxarAccessorOptions {
  /** Number of names of each file with several, by its id; see {@link openPxarTree}. */
  readonly linkCounts?: ReadonlyMap<number, number> | undefined;
}

/** What all nodes of a tree share. */
interface Archive extends ContentStreams {
  readonly accessor: PxarAccessor;
  readonly search: HoleSearch;
  readonly linkCounts: ReadonlyMap<number, number> | undefined;
}

class PxarTree implements Tree {
  readonly countsLinks: boolean;
  readonly root: DirectoryNode;
  readonly #archive: Archive;

  constructor(archive: Archive) {
    this.#archive = archive;
    this.countsLinks = archive.linkCounts !== undefined;
    this.root = new PxarDirectory(archive, archive.accessor.root);
  }

  nodeById(id: number): Node | undefined {
    const found = this.#archive.accessor.nodeAt(id);
    return found === undefined ? undefined : makeNode(this.#archive, found);
  }

  close(): void {
    this.#archive.source.close();
    this.#archive.payload?.close();
  }
}

function makeNode(archive: Archive, node: PxarNode): Node {
  const { entry } = node;
  switch (entry.kind) {
    case "directory":
      return new PxarDirectory(archive, node);
    case "file":
      return new PxarFile(archive, node, entry.payload);
    case "symlink": {
      const size = encodeFileName(entry.target).length;
      return {
        ...baseOf(node),
        kind: "symlink",
        attributes: attributesOf(entry.metadata, size, linkCount(archive, node)),
        target: entry.target,
      } satisfies SymlinkNode;
    }
    case "device":
    case "fifo":
    case "socket":
      return {
        ...baseOf(node),
        kind: "special",
        attributes: attributesOf(entry.metadata, 0, linkCount(archive, node), deviceOf(entry)),
      } satisfies SpecialNode;
  }
}

class PxarDirectory implements DirectoryNode {
  readonly kind = "directory";
  readonly id: number;
  readonly entryCount?: number;
  readonly attributes: Attributes;
  readonly #archive: Archive;
  readonly #node: PxarNode;

  constructor(archive: Archive, node: PxarNode) {
    this.#archive = archive;
    this.#node = node;
    this.id = directoryPlace(node);
    const { count, rebuilt } = node.table!;
    // A directory that may hold more than can be read must not look complete.
    if (rebuilt === undefined) this.entryCount = count;
    this.attributes = attributesOf(node.entry.metadata, 0, 1);
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return xattrsOf(this.#node.entry.metadata);
  }

  lookup(name: string): Node | undefined {
    const found = this.#archive.accessor.child(this.#node, name);
    return found === undefined ? undefined : makeNode(this.#archive, found);
  }

  *entries(): Generator<DirectoryEntry> {
    const { accessor } = this.#archive;
    for (const child of accessor.readDirectory(this.#node)) {
      const node = child.entry.kind === "hardlink"
        ? accessor.resolveHardlink(child as PxarLinkNode)
        : child as PxarNode;
      yield { name: child.name, node: makeNode(this.#archive, node) };
    }
  }
}

class PxarFile implements FileNode {
  readonly kind = "file";
  readonly id: number;
  readonly attributes: Attributes;
  readonly #archive: Archive;
  readonly #node: PxarNode;
  readonly #payload: PxarPayload;

  constructor(archive: Archive, node: PxarNode, payload: PxarPayload) {
    this.#archive = archive;
    this.#node = node;
    this.#payload = payload;
    this.id = node.offset;
    this.attributes = {
      ...attributesOf(node.entry.metadata, payload.size, linkCount(archive, node)),
      dataBytes: dataBytesOf(payload, archive),
    };
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return xattrsOf(this.#node.entry.metadata);
  }

  open(): FileContent {
    const { accessor, search } = this.#archive;
    const node = this.#node;
    accessor.locatePayload(node);
    const readInto = (target: NativeBuffer, start: number, size: number, offset: number) => {
      return accessor.readContent(node, offset, target, start, size);
    };
    const holes = knownHoles(this.#payload, this.#archive) ??
      search.in(readInto, this.#payload.size);
    return { readInto, ...holes, close: () => {} };
  }
}

function baseOf(node: PxarNode): { id: number; xattrs: () => ReadonlyMap<string, Uint8Array> } {
  return { id: node.offset, xattrs: () => xattrsOf(node.entry.metadata) };
}

function linkCount({ linkCounts }: Archive, { offset }: PxarNode): number {
  return linkCounts?.get(offset) ?? 1;
}

function attributesOf(metadata: PxarMetadata, size: number, nlink: number, rdev = 0): Attributes {
  const { mode, uid, gid, mtime } = metadata;
  return { mode, uid, gid, size, mtime, nlink, rdev };
}

/** The kernel's 32-bit device number. */
function deviceOf(entry: PxarEntry): number {
  if (entry.kind !== "device") return 0;
  const { major, minor } = entry;
  if (major > MAJOR_MAX || minor > MINOR_MAX) {
    throw new FormatError(`Cannot show device ${major}:${minor}: no such device`, {
      code: "bad-device",
    });
  }
  return Number((minor & 0xffn) | major << 8n | (minor & ~0xffn) << 12n);
}

function xattrsOf(metadata: PxarMetadata): ReadonlyMap<string, Uint8Array> {
  const access = encodeAccessAcl(metadata.acl, metadata.mode);
  const inherited = encodeDefaultAcl(metadata.acl);
  const { fcaps, xattrs } = metadata;
  const extra = [
    [XATTR_ACL_ACCESS, access],
    [XATTR_ACL_DEFAULT, inherited],
    [XATTR_CAPABILITY, fcaps],
  ] as const;
  if (xattrs.length === 0 && extra.every(([, value]) => value === undefined)) return NO_XATTRS;
  const result = new Map<string, Uint8Array>();
  for (const { name, value } of xattrs) result.set(name, value);
  for (const [name, value] of extra) if (value !== undefined) result.set(name, value);
  return result;
}
