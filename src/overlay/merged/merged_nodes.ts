/**
 * Nodes of a merged tree: what the diff has, and directories that only the lower tree has.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import { type Metadata, metadataFromXattrs, NO_XATTRS } from "#src/tree/metadata.ts";
import {
  type Attributes,
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type FileNode,
  type KeptContent,
  type MountableTree,
  type Node,
  type NodeBase,
  specialKind,
  type SymlinkNode,
  type Timestamp,
} from "#src/tree/node.ts";
import { COPY_MARK_XATTR } from "../copy_mark.ts";
import { MARKER_NAME } from "../directory_marker.ts";
import {
  continuedDirectory,
  partialLower,
  referredLink,
  visibleBytes,
} from "../lower_reference.ts";
import { type DiffIndex, NodeField, ROOT_NODE, Shape, WHITEOUT_NODE } from "./diff_index.ts";
import type { HeaderReader, ReadHeader } from "./header_reader.ts";
import { seekHostFile } from "./host_holes.ts";
import { commonRanges, lowerRanges, PartialContent, type PartialShape } from "./partial_content.ts";

/** What all nodes of a tree share; the origin of those of the diff. */
export interface MergedContext {
  readonly diffPath: string;
  readonly index: DiffIndex;
  /** Id of the root; the others count down. */
  readonly firstId: number;
  readonly lower: MountableTree;
  readonly pool: SourcePool;
  readonly headers: HeaderReader;
  readonly knowsXattrs: boolean;
  /** The node of a number. @throws {FormatError} when it is damaged */
  node(node: number): Node;
  /** What the tree shows for a node of the lower tree. */
  shown(node: Node): Node;
  /** Whether it is the program's own. */
  isHidden(node: number): boolean;
}

/** Makes the node of a number. @throws {FormatError} when it is damaged */
export function makeChangedNode(context: MergedContext, node: number): Node {
  switch (entryType(context.index.get(node, NodeField.MODE))) {
    case EntryType.DIRECTORY:
      return new ChangedDirectory(context, node);
    case EntryType.FILE:
      return makeFile(context, node);
    case EntryType.SYMLINK:
      return new ChangedLink(context, node);
    default:
      return makeSpecial(context, node);
  }
}

function makeFile(context: MergedContext, node: number): FileNode {
  const { diffPath, index, headers } = context;
  const path = `${diffPath}/${index.hostPath(node)}`;
  const header = headers.read(path, index.get(node, NodeField.SIZE));
  if (header === undefined) return new WholeFile(context, node);
  return new PartialFile(context, node, header);
}

abstract class ChangedNode implements NodeBase, Attributes {
  protected readonly context: MergedContext;
  protected readonly node: number;

  constructor(context: MergedContext, node: number) {
    this.context = context;
    this.node = node;
  }

  protected field(field: number): number {
    return this.context.index.get(this.node, field);
  }

  protected get hostPath(): string {
    return `${this.context.diffPath}/${this.context.index.hostPath(this.node)}`;
  }

  /** What it was in the lower tree, where the diff keeps that. */
  protected get former(): Node | undefined {
    return undefined;
  }

  get origin(): object {
    return this.context;
  }

  get id(): number {
    return this.context.firstId - this.node;
  }

  /** A node is its own attributes, so that asking for them makes nothing. */
  get attributes(): Attributes {
    return this;
  }

  get mode(): number {
    return this.field(NodeField.MODE);
  }

  get uid(): number {
    return this.field(NodeField.UID);
  }

  get gid(): number {
    return this.field(NodeField.GID);
  }

  get rdev(): number {
    return this.field(NodeField.RDEV);
  }

  get nlink(): number {
    return this.field(NodeField.NLINK);
  }

  get size(): number {
    return 0;
  }

  get mtime(): Timestamp {
    return {
      seconds: this.field(NodeField.MTIME_SECONDS),
      nanoseconds: this.field(NodeField.MTIME_NANOSECONDS),
    };
  }

  get metadata(): Metadata {
    const metadata = metadataFromXattrs(this, this.xattrs());
    const former = this.former?.metadata;
    if (former === undefined) return metadata;
    // A mount neither shows nor changes them.
    return { ...metadata, flags: former.flags, projectId: former.projectId };
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return this.context.knowsXattrs ? readXattrs(this.hostPath, this.mode) : NO_XATTRS;
  }
}

function readXattrs(path: string, mode: number): ReadonlyMap<string, Uint8Array> {
  const type = entryType(mode);
  if (type !== EntryType.FILE && type !== EntryType.DIRECTORY) {
    return collectXattrs(host.listLinkXattr(path), (name) => host.getLinkXattr(path, name));
  }
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW;
  const fd = host.unwrap(openQuietlyAt(host.At.FDCWD, path, flags), "open", path);
  try {
    return collectXattrs(host.listXattr(fd), (name) => host.getXattr(fd, name));
  } finally {
    host.close(fd);
  }
}

function collectXattrs(
  names: Uint8Array | number,
  get: (name: string) => Uint8Array | number,
): ReadonlyMap<string, Uint8Array> {
  // Neither does a disk without such attributes have any.
  if (typeof names === "number") return NO_XATTRS;
  const found = new Map<string, Uint8Array>();
  for (const name of decodeFileName(names).split("\0")) {
    if (name === "" || name === COPY_MARK_XATTR) continue;
    const value = get(name);
    if (typeof value !== "number") found.set(name, value);
  }
  return found;
}

class ChangedDirectory extends ChangedNode implements DirectoryNode {
  readonly kind = "directory";
  #continued: { readonly directory: DirectoryNode | undefined } | undefined;

  protected override get former(): DirectoryNode | undefined {
    this.#continued ??= { directory: this.#findContinued() };
    return this.#continued.directory;
  }

  #findContinued(): DirectoryNode | undefined {
    const { index, lower } = this.context;
    if (this.node === ROOT_NODE) return lower.root;
    const marker = index.has(this.node, Shape.CONTINUED)
      ? index.text(this.node)
      : index.has(this.node, Shape.MARKED)
      ? undefined
      : null;
    return continuedDirectory(lower, marker, () => {
      const parent = this.context.node(this.field(NodeField.PARENT)) as ChangedDirectory;
      return parent.formerEntry(index.nameOf(this.field(NodeField.ENTRY)));
    });
  }

  /** What the lower tree had under a name. */
  formerEntry(name: string): Node | undefined {
    return this.former?.lookup(name);
  }

  lookup(name: string): Node | undefined {
    const { index } = this.context;
    const node = index.find(this.node, name);
    if (node === undefined) {
      const lower = name === MARKER_NAME ? undefined : this.former?.lookup(name);
      return lower && this.context.shown(lower);
    }
    return this.#isGone(node) ? undefined : this.context.node(node);
  }

  *entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry> {
    const { context } = this;
    const { index } = context;
    const first = this.field(NodeField.FIRST);
    const end = first + this.field(NodeField.COUNT);
    for (let entry = first; entry < end; entry++) {
      const node = index.nodeOf(entry);
      if (this.#isGone(node)) continue;
      yield {
        name: index.nameOf(entry),
        get node() {
          return context.node(node);
        },
      };
    }
    for (const entry of this.former?.entries(onDamage) ?? []) {
      const { name } = entry;
      if (name === MARKER_NAME || index.find(this.node, name) !== undefined) continue;
      yield {
        name,
        get node() {
          return context.shown(entry.node);
        },
      };
    }
  }

  #isGone(node: number): boolean {
    return node === WHITEOUT_NODE || (this.node === ROOT_NODE && this.context.isHidden(node));
  }
}

/** A directory that the diff does not have. */
export class ShownDirectory implements DirectoryNode {
  readonly kind = "directory";
  readonly #context: MergedContext;
  readonly #lower: DirectoryNode;

  /** @param lower the node that it is in all but what it has */
  constructor(context: MergedContext, lower: DirectoryNode) {
    this.#context = context;
    this.#lower = lower;
  }

  get origin(): object {
    return this.#lower.origin;
  }

  get id(): number {
    return this.#lower.id;
  }

  get attributes(): Attributes {
    return this.#lower.attributes;
  }

  get metadata(): Metadata {
    return this.#lower.metadata;
  }

  get entryCount(): number | undefined {
    return this.#lower.entryCount;
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return this.#lower.xattrs();
  }

  lookup(name: string): Node | undefined {
    const found = name === MARKER_NAME ? undefined : this.#lower.lookup(name);
    return found && this.#context.shown(found);
  }

  *entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry> {
    const context = this.#context;
    for (const entry of this.#lower.entries(onDamage)) {
      if (entry.name === MARKER_NAME) continue;
      yield {
        name: entry.name,
        get node() {
          return context.shown(entry.node);
        },
      };
    }
  }
}

/** A file that is new, or was copied whole. */
class WholeFile extends ChangedNode implements FileNode {
  readonly kind = "file";

  override get size(): number {
    return this.field(NodeField.SIZE);
  }

  get dataBytes(): number {
    return Math.min(this.size, this.field(NodeField.DISK_BYTES));
  }

  get linkCount(): number {
    return this.nlink;
  }

  get plainPath(): string {
    return this.hostPath;
  }

  /** Nobody knows what of a whole copy is as it was: only where to compare. */
  get kept(): KeptContent | undefined {
    const parent = this.context.node(this.field(NodeField.PARENT)) as ChangedDirectory;
    const former = parent.formerEntry(this.context.index.nameOf(this.field(NodeField.ENTRY)));
    if (former?.kind !== "file") return undefined;
    return { node: former.kept?.node ?? former, ranges: () => [] };
  }

  open(): FileContent {
    const { pool } = this.context;
    const { hostPath: path, size } = this;
    return {
      readInto: (target, start, count, offset) =>
        offset >= size
          ? 0
          : pool.get(path).readAt(target, start, Math.min(count, size - offset), offset),
      nextData: (offset) => seekHostFile(path, offset, size, false),
      nextHole: (offset) => seekHostFile(path, offset, size, true),
      close() {},
    };
  }
}

/** A file of the lower tree that was changed in parts. */
class PartialFile extends ChangedNode implements FileNode {
  readonly kind = "file";
  readonly #header: ReadHeader;
  #former: FileNode | undefined;

  constructor(context: MergedContext, node: number, header: ReadHeader) {
    super(context, node);
    this.#header = header;
  }

  protected override get former(): FileNode {
    return this.#former ??= partialLower(this.context.lower, this.#header);
  }

  override get size(): number {
    return this.field(NodeField.SIZE) - this.#header.layout.dataOffset;
  }

  /** What both layers may have, as a mount says it. */
  get dataBytes(): number {
    const { size, dataBytes = size } = this.former.attributes;
    const lowerBytes = Math.min(this.#visibleBytes, dataBytes);
    return Math.min(this.size, lowerBytes + this.field(NodeField.DISK_BYTES));
  }

  get linkCount(): number {
    return this.nlink;
  }

  get kept(): KeptContent {
    const { pool } = this.context;
    const facts = this.#facts;
    const { kept } = facts.lower;
    if (kept === undefined) return { node: facts.lower, ranges: () => lowerRanges(pool, facts) };
    return {
      node: kept.node,
      ranges: () => commonRanges(lowerRanges(pool, facts), kept.ranges()),
    };
  }

  get #visibleBytes(): number {
    const { size, former } = this;
    return visibleBytes({ visibleSize: this.#header.visibleSize, size }, former);
  }

  get #facts(): PartialShape {
    const { mapBlocks, layout: { dataOffset } } = this.#header;
    const { hostPath: path, former: lower, size } = this;
    return { path, size, dataOffset, mapBlocks, lower, visibleBytes: this.#visibleBytes };
  }

  open(): FileContent {
    return new PartialContent(this.context.pool, this.#facts);
  }
}

class ChangedLink extends ChangedNode implements SymlinkNode {
  readonly kind = "symlink";
  /** Path of the link that it stands for. */
  readonly #reference: string | undefined;

  constructor(context: MergedContext, node: number) {
    super(context, node);
    this.#reference = context.headers.referenceOf(context.index.text(node));
  }

  get followsMount(): boolean {
    return this.#reference !== undefined;
  }

  get target(): string {
    if (this.#reference === undefined) return this.context.index.text(this.node);
    return referredLink(this.context.lower, this.#reference).target;
  }

  override get size(): number {
    return encodeFileName(this.target).length;
  }
}

class ChangedSpecial extends ChangedNode {}

function makeSpecial(context: MergedContext, node: number): Node {
  const special = new ChangedSpecial(context, node);
  return Object.assign(special, specialKind(special.mode, special.rdev));
}
