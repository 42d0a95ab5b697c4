/**
 * Any `Tree` (a chain of backups, a directory, a literal) as a {@link TreeReader}.
 *
 * @module
 */

import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import { splitDeviceNumber } from "#src/pxar/format/device.ts";
import {
  type DirectoryNode,
  type FileNode,
  FileType,
  type Node,
  type Tree,
} from "#src/tree/node.ts";
import { metadataFromXattrs } from "./xattr_metadata.ts";
import { compareNames } from "./paths.ts";
import type {
  MetadataField,
  NamedEntry,
  ReaderContent,
  ReaderDirectory,
  ReaderEntry,
  TreeReader,
} from "./reader.ts";

const BUFFER_SIZE = 1 << 20;

/** What is known of a tree beside its nodes. */
export interface TreeReaderOptions {
  /**
   * What the tree's nodes tell; the default is everything but `flags` and `projectId`, which no
   * node has.
   */
  readonly knownFields?: ReadonlySet<MetadataField>;
  /**
   * Times are exact to this many nanoseconds; 1 unless given. A `LoopbackTree` knows milliseconds.
   */
  readonly mtimePrecisionNs?: number;
  /** Buffer for contents. It must have an address when the tree's files are read by FFI. */
  readonly buffer?: NativeBuffer;
}

/** What nodes of a tree tell. */
const NODE_FIELDS: ReadonlySet<MetadataField> = new Set<MetadataField>([
  "mode",
  "uid",
  "gid",
  "mtime",
  "xattrs",
  "acl",
  "fcaps",
  "links",
]);

/**
 * Reads from `tree`, which stays the caller's to close. ACLs and capabilities are those that the
 * extended attributes tell.
 */
export function readTree(tree: Tree, options: TreeReaderOptions = {}): TreeReader {
  const origin = new TreeOrigin(
    options.buffer ?? plainBuffer(BUFFER_SIZE),
    tree.countsLinks ?? true,
  );
  return {
    root: new TreeDirectory(origin, tree.root),
    knownFields: options.knownFields ?? NODE_FIELDS,
    mtimePrecisionNs: options.mtimePrecisionNs ?? 1,
    prelude: undefined,
  };
}

/** What all entries of one tree share. */
class TreeOrigin {
  constructor(readonly buffer: NativeBuffer, readonly countsLinks: boolean) {}

  entryOf(node: Node): ReaderEntry {
    if (node.kind === "directory") return new TreeDirectory(this, node);
    const base = { origin: this, id: node.id, metadata: metadataOf(node) };
    switch (node.kind) {
      case "file":
        return {
          ...base,
          kind: "file",
          size: node.attributes.size,
          linkCount: this.countsLinks ? node.attributes.nlink : undefined,
          payload: undefined,
          open: () => this.#open(node),
        };
      case "symlink":
        return { ...base, kind: "symlink", target: node.target };
      case "special":
        return { ...base, ...specialKind(node.attributes.mode, node.attributes.rdev) };
    }
  }

  #open(node: FileNode): ReaderContent {
    const content = node.open();
    const { buffer } = this;
    return {
      close: () => content.close(),
      readAt: (target, offset) => {
        let done = 0;
        while (done < target.length) {
          const size = Math.min(buffer.bytes.length, target.length - done);
          const count = content.readInto(buffer, 0, size, offset + done);
          target.set(buffer.bytes.subarray(0, count), done);
          done += count;
          if (count < size) break;
        }
        return done;
      },
    };
  }
}

function metadataOf(node: Node): PxarMetadata {
  const { mode, uid, gid, mtime } = node.attributes;
  return { mode, uid, gid, mtime, flags: 0n, projectId: 0n, ...metadataFromXattrs(node.xattrs()) };
}

type SpecialKind =
  | { readonly kind: "fifo" | "socket" }
  | { readonly kind: "device"; readonly major: bigint; readonly minor: bigint };

function specialKind(mode: number, rdev: number): SpecialKind {
  const type = mode & FileType.MASK;
  if (type === FileType.FIFO) return { kind: "fifo" };
  if (type === FileType.SOCKET) return { kind: "socket" };
  return { kind: "device", ...splitDeviceNumber(BigInt(rdev)) };
}

class TreeDirectory implements ReaderDirectory {
  readonly kind = "directory";
  readonly origin: TreeOrigin;
  readonly metadata: PxarMetadata;
  readonly #node: DirectoryNode;

  constructor(origin: TreeOrigin, node: DirectoryNode) {
    this.origin = origin;
    this.#node = node;
    this.metadata = metadataOf(node);
  }

  get id() {
    return this.#node.id;
  }

  lookup(name: string): ReaderEntry | undefined {
    const node = this.#node.lookup(name);
    return node === undefined ? undefined : this.origin.entryOf(node);
  }

  children(): readonly NamedEntry[] {
    const children: NamedEntry[] = [];
    for (const { name, node } of this.#node.entries()) {
      children.push({ name, entry: this.origin.entryOf(node) });
    }
    return children.sort((a, b) => compareNames(a.name, b.name));
  }
}
