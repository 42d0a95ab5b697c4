/**
 * A directory of this computer as a tree.
 *
 * @module
 */

import * as fs from "node:fs";
import { ATTRIBUTE_FIELDS, metadataFromXattrs, NO_XATTRS } from "#src/tree/metadata.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { specialKind } from "#src/tree/node.ts";
import type {
  Attributes,
  DirectoryEntry,
  DirectoryNode,
  FileContent,
  MountableTree,
  Node,
  Timestamp,
} from "#src/tree/node.ts";

/**
 * A directory as it is when the tree is made; it must not change meanwhile. Ids count up in the
 * order of the sorted names, so that several instances over the same directory agree. Times are
 * exact to a millisecond; names that are not UTF-8 and extended attributes are not shown: they
 * cannot be had without FFI.
 */
export class LoopbackTree implements MountableTree {
  /** The directory the tree was made with. */
  readonly root: DirectoryNode;
  readonly knownFields = ATTRIBUTE_FIELDS;
  readonly #byId: (Node | undefined)[] = [undefined];
  /** Hard links: nodes by device and inode number. */
  readonly #byInode = new Map<string, Node>();

  /** Reads all names and attributes under `path`; throws what the file system throws. */
  constructor(path: string) {
    this.root = this.#build(path) as DirectoryNode;
    this.#byInode.clear();
  }

  /** See {@link Tree.nodeById}. */
  nodeById(id: number): Node | undefined {
    return this.#byId[id];
  }

  /** Nothing is held: a file is open only while its content is. */
  close(): void {}

  #build(path: string): Node {
    const stat = fs.lstatSync(path, { bigint: true });
    const inode = `${stat.dev}:${stat.ino}`;
    const known = this.#byInode.get(inode);
    if (known !== undefined) return known;
    const id = this.#byId.length;
    this.#byId.push(undefined);
    const children = new Map<string, Node>();
    const node = makeNode(this, id, path, stat, children);
    this.#byId[id] = node;
    this.#byInode.set(inode, node);
    if (node.kind === "directory") {
      for (const name of fs.readdirSync(path).sort()) {
        children.set(name, this.#build(`${path}/${name}`));
      }
    }
    return node;
  }
}

const SECOND_NS = 1_000_000_000n;

function makeNode(
  origin: object,
  id: number,
  path: string,
  stat: fs.BigIntStats,
  children: ReadonlyMap<string, Node>,
): Node {
  const attributes = attributesOf(stat);
  const metadata = metadataFromXattrs(attributes, NO_XATTRS);
  const base = { origin, id, attributes, metadata, xattrs: () => NO_XATTRS };
  if (stat.isDirectory()) {
    const lookup = (name: string) => children.get(name);
    return { ...base, kind: "directory", lookup, entries: () => listing(children) };
  }
  if (stat.isFile()) {
    const open = () => new LoopbackContent(path);
    return { ...base, kind: "file", linkCount: attributes.nlink, plainPath: path, open };
  }
  if (stat.isSymbolicLink()) {
    return { ...base, kind: "symlink", target: fs.readlinkSync(path) };
  }
  return { ...base, ...specialKind(attributes.mode, attributes.rdev) };
}

function attributesOf(stat: fs.BigIntStats): Attributes {
  const hasSize = stat.isFile() || stat.isSymbolicLink();
  return {
    mode: Number(stat.mode),
    uid: Number(stat.uid),
    gid: Number(stat.gid),
    size: hasSize ? Number(stat.size) : 0,
    mtime: timestampOf(stat.mtimeNs),
    nlink: stat.isDirectory() ? 1 : Number(stat.nlink),
    rdev: stat.isFile() ? 0 : Number(stat.rdev),
  };
}

function timestampOf(ns: bigint): Timestamp {
  const nanoseconds = ((ns % SECOND_NS) + SECOND_NS) % SECOND_NS;
  return { seconds: Number((ns - nanoseconds) / SECOND_NS), nanoseconds: Number(nanoseconds) };
}

function* listing(children: ReadonlyMap<string, Node>): Generator<DirectoryEntry> {
  for (const [name, node] of children) yield { name, node };
}

/** An open host file. */
class LoopbackContent implements FileContent {
  readonly #fd: number;

  constructor(path: string) {
    this.#fd = fs.openSync(path, "r");
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    let done = 0;
    while (done < size) {
      const count = fs.readSync(
        this.#fd,
        target.bytes,
        start + done,
        size - done,
        offset + done,
      );
      if (count === 0) break;
      done += count;
    }
    return done;
  }

  close(): void {
    fs.closeSync(this.#fd);
  }
}
