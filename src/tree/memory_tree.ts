/**
 * A tree written down as a literal.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import {
  type Attributes,
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  FileType,
  type MountableTree,
  type Node,
  specialKind,
  type Timestamp,
} from "./node.ts";
import { ATTRIBUTE_FIELDS, type MetadataField, metadataFromXattrs } from "./metadata.ts";

/** What may be said of any node beside its content. */
export interface MemoryAttributes {
  /** Permission bits. */
  readonly permissions?: number;
  /** Owner; root unless given. */
  readonly uid?: number;
  /** Group; root unless given. */
  readonly gid?: number;
  /** Time of the last change; 1970 unless given. */
  readonly mtime?: Timestamp;
  /** Extended attributes by full name. */
  readonly xattrs?: Readonly<Record<string, Uint8Array>>;
}

/**
 * A node before it is part of a tree. The same object under several names is one hard-linked file.
 */
export type MemoryEntry =
  & { readonly attributes: MemoryAttributes }
  & (
    | { readonly kind: "directory"; readonly entries: Readonly<Record<string, MemoryEntry>> }
    | { readonly kind: "file"; readonly content: Uint8Array }
    | { readonly kind: "symlink"; readonly target: string }
    | { readonly kind: "special"; readonly type: number; readonly rdev: number }
  );

const EPOCH: Timestamp = { seconds: 0, nanoseconds: 0 };

/** A directory for {@link MemoryTree}. */
export function memoryDirectory(
  entries: Readonly<Record<string, MemoryEntry>>,
  attributes: MemoryAttributes = {},
): MemoryEntry & { kind: "directory" } {
  return { kind: "directory", entries, attributes };
}

/** A regular file for {@link MemoryTree}. */
export function memoryFile(
  content: Uint8Array | string,
  attributes: MemoryAttributes = {},
): MemoryEntry {
  const bytes = typeof content === "string" ? new TextEncoder().encode(content) : content;
  return { kind: "file", content: bytes, attributes };
}

/** A symbolic link for {@link MemoryTree}. */
export function memorySymlink(target: string, attributes: MemoryAttributes = {}): MemoryEntry {
  return { kind: "symlink", target, attributes };
}

/** A FIFO, socket or device node for {@link MemoryTree}; `type` is one of {@link FileType}. */
export function memorySpecial(
  type: number,
  rdev = 0,
  attributes: MemoryAttributes = {},
): MemoryEntry {
  return { kind: "special", type, rdev, attributes };
}

/**
 * A tree over entries in memory. The root has id 1, the others count up in the order of a
 * depth-first walk.
 */
export class MemoryTree implements MountableTree {
  /** The directory the tree was made with. */
  readonly root: DirectoryNode;
  /** See {@link Tree.knownFields}. */
  readonly knownFields: ReadonlySet<MetadataField> = ATTRIBUTE_FIELDS;
  readonly #byId: (Node | undefined)[] = [undefined];

  /** Builds the tree below `root`. */
  constructor(root: MemoryEntry & { kind: "directory" }) {
    const linkCounts = new Map<MemoryEntry, number>();
    countLinks(root, linkCounts);
    this.root = this.#build(root, linkCounts, new Map()) as DirectoryNode;
  }

  /** See {@link Tree.nodeById}. */
  nodeById(id: number): Node | undefined {
    return this.#byId[id];
  }

  /** Nothing is held. */
  close(): void {}

  #build(
    entry: MemoryEntry,
    linkCounts: Map<MemoryEntry, number>,
    built: Map<MemoryEntry, Node>,
  ): Node {
    const known = built.get(entry);
    if (known !== undefined) return known;
    const id = this.#byId.length;
    this.#byId.push(undefined);
    const children = new Map<string, Node>();
    if (entry.kind === "directory") {
      for (const [name, child] of Object.entries(entry.entries)) {
        children.set(name, this.#build(child, linkCounts, built));
      }
    }
    const node = makeNode(this, id, entry, linkCounts.get(entry) ?? 1, children);
    built.set(entry, node);
    this.#byId[id] = node;
    return node;
  }
}

function countLinks(entry: MemoryEntry, counts: Map<MemoryEntry, number>): void {
  counts.set(entry, (counts.get(entry) ?? 0) + 1);
  if (entry.kind !== "directory") return;
  for (const child of Object.values(entry.entries)) countLinks(child, counts);
}

function makeNode(
  origin: object,
  id: number,
  entry: MemoryEntry,
  linkCount: number,
  children: ReadonlyMap<string, Node>,
): Node {
  const attributes = attributesOf(entry, linkCount);
  const xattrMap = new Map(Object.entries(entry.attributes.xattrs ?? {}));
  const base = {
    origin,
    id,
    attributes,
    xattrs: () => xattrMap,
    get metadata() {
      return metadataFromXattrs(attributes, xattrMap);
    },
  };
  // What is spread instead would be asked for metadata once and now.
  switch (entry.kind) {
    case "directory":
      return Object.assign(
        base,
        {
          kind: "directory",
          entryCount: children.size,
          lookup: (name: string) => children.get(name),
          entries: () => listing(children),
        } as const,
      );
    case "file": {
      const { content } = entry;
      return Object.assign(
        base,
        {
          kind: "file",
          linkCount,
          open: () => new MemoryContent(content),
        } as const,
      );
    }
    case "symlink":
      return Object.assign(base, { kind: "symlink", target: entry.target } as const);
    case "special":
      return Object.assign(base, specialKind(attributes.mode, entry.rdev));
  }
}

function attributesOf(entry: MemoryEntry, nlink: number): Attributes {
  const { permissions, uid = 0, gid = 0, mtime = EPOCH } = entry.attributes;
  const base = { uid, gid, mtime, nlink, size: 0, rdev: 0 };
  switch (entry.kind) {
    case "directory":
      return { ...base, mode: FileType.DIRECTORY | (permissions ?? 0o755), nlink: 1 };
    case "file":
      return { ...base, mode: FileType.FILE | (permissions ?? 0o644), size: entry.content.length };
    case "symlink": {
      const size = new TextEncoder().encode(entry.target).length;
      return { ...base, mode: FileType.SYMLINK | (permissions ?? 0o777), size };
    }
    case "special":
      return { ...base, mode: entry.type | (permissions ?? 0o644), rdev: entry.rdev };
  }
}

function* listing(children: ReadonlyMap<string, Node>): Generator<DirectoryEntry> {
  for (const [name, node] of children) yield { name, node };
}

/** Content of a file in memory. */
class MemoryContent implements FileContent {
  readonly #bytes: Uint8Array;

  constructor(bytes: Uint8Array) {
    this.#bytes = bytes;
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const part = this.#bytes.subarray(offset, offset + size);
    target.bytes.set(part, start);
    return part.length;
  }

  close(): void {}
}
