/**
 * Members of tar archives as one tree, as an extraction of one after the other would make it: of
 * several members of one path the last one counts.
 *
 * @module
 */

import { NO_ACL } from "#src/bytes/acl.ts";
import { joinDeviceNumber } from "#src/bytes/device_number.ts";
import { encodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { XATTR_ACL_ACCESS, XATTR_ACL_DEFAULT } from "#src/bytes/posix_acl.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { type Metadata, type MetadataField, metadataFromXattrs } from "#src/tree/metadata.ts";
import { MetadataNode } from "#src/tree/metadata_node.ts";
import {
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type FileNode,
  FileType,
  type MountableTree,
  type Node,
  specialKind,
} from "#src/tree/node.ts";
import type { DataRange } from "./format/header.ts";
import type { TarMember } from "./tar_index.ts";

/** Members of one archive, and where they come to lie. */
export interface TarPart {
  readonly members: readonly TarMember[];
  /** Path of the directory that the archive is unpacked in; empty for the root. */
  readonly directory: string;
  /** A symbolic link to that directory; it can be looked up, and is in no listing of the root. */
  readonly link?: { readonly path: string; readonly target: string } | undefined;
}

/** A tar archive knows neither chattr flags nor quota projects. */
const KNOWN_FIELDS: ReadonlySet<MetadataField> = new Set([
  "mode",
  "uid",
  "gid",
  "mtime",
  "xattrs",
  "fcaps",
  "links",
]);

const FILE_TYPES: Readonly<Record<Exclude<TarMember["kind"], "hardlink">, number>> = {
  file: FileType.FILE,
  directory: FileType.DIRECTORY,
  symlink: FileType.SYMLINK,
  fifo: FileType.FIFO,
  character: FileType.CHARACTER_DEVICE,
  block: FileType.BLOCK_DEVICE,
};

/** A directory that no member is. */
const IMPLIED: TarMember = {
  path: "",
  kind: "directory",
  mode: 0o755,
  uid: 0,
  gid: 0,
  mtime: { seconds: 0, nanoseconds: 0 },
  size: 0,
  offset: 0,
  ranges: undefined,
  target: "",
  major: 0,
  minor: 0,
  xattrs: [],
  acl: undefined,
};

/** A directory without a member of its own belongs to whom the first member belongs. */
function impliedBy(part: TarPart | undefined): TarMember {
  const first = part?.members[0];
  if (first === undefined) return IMPLIED;
  const { uid, gid, mtime } = first;
  return { ...IMPLIED, uid, gid, mtime };
}

/** Whether a member has an ACL, in words or as the kernel's attribute. */
export function tellsAcl({ acl, xattrs }: TarMember): boolean {
  return acl !== undefined ||
    xattrs.some(({ name }) => name === XATTR_ACL_ACCESS || name === XATTR_ACL_DEFAULT);
}

/**
 * Makes the tree.
 *
 * @param sources of the parts, which the tree closes
 * @throws {FormatError} when a member lies in what is no directory, or is a further name of nothing
 */
export function tarTree(parts: readonly TarPart[], sources: readonly ByteSource[]): MountableTree {
  return new TarTree(parts, sources);
}

const NANOSECONDS_PER_SECOND = 1e9;

class TarTree implements MountableTree {
  /** Most archives are made without a word of ACLs: those of the files are not known then. */
  readonly knownFields: ReadonlySet<MetadataField>;
  /** Whoever writes fractions of seconds writes them of all files. */
  readonly mtimePrecisionNs: number;
  readonly root: TarDirectory;
  readonly #nodes: Node[] = [];
  #implied: TarMember;
  readonly #sources: readonly ByteSource[];

  constructor(parts: readonly TarPart[], sources: readonly ByteSource[]) {
    this.#sources = sources;
    const knowsAcls = parts.some(({ members }) => members.some(tellsAcl));
    this.knownFields = knowsAcls ? new Set([...KNOWN_FIELDS, "acl"]) : KNOWN_FIELDS;
    const hasFractions = parts.some(({ members }) =>
      members.some(({ mtime }) => mtime.nanoseconds !== 0)
    );
    this.mtimePrecisionNs = hasFractions ? 1 : NANOSECONDS_PER_SECOND;
    this.#implied = impliedBy(parts[0]);
    this.root = new TarDirectory(this, this.#nextId, this.#implied);
    this.#nodes.push(this.root);
    for (const [index, part] of parts.entries()) {
      const { members, directory, link } = part;
      const names = directory.split("/").filter((name) => name !== "");
      const top = this.#directoryAt(names);
      this.#implied = impliedBy(part);
      if (link !== undefined) {
        this.root.unlisted = names[0];
        const { uid, gid, mtime } = this.#implied;
        const member = {
          ...IMPLIED,
          kind: "symlink",
          mode: 0o777,
          uid,
          gid,
          mtime,
          ...link,
        } as const;
        this.#add(this.root, member, sources[index]!);
      }
      for (const member of members) this.#add(top, member, sources[index]!);
    }
  }

  nodeById(id: number): Node | undefined {
    return this.#nodes[id - 1];
  }

  close(): void {
    for (const source of this.#sources) source.close();
  }

  get #nextId(): number {
    return this.#nodes.length + 1;
  }

  #add(top: TarDirectory, member: TarMember, source: ByteSource): void {
    const names = member.path.split("/");
    const name = names.pop()!;
    if (name === "") {
      if (member.kind === "directory") top.member = member;
      return;
    }
    const parent = this.#directoryAt(names, top);
    const former = parent.children.get(name);
    if (member.kind === "directory" && former instanceof TarDirectory) {
      former.member = member;
      return;
    }
    if (former instanceof TarFile) former.nameCount--;
    parent.children.set(name, this.#node(top, member, source));
  }

  #node(top: TarDirectory, member: TarMember, source: ByteSource): Node {
    if (member.kind === "hardlink") return this.#linked(top, member);
    const id = this.#nextId;
    const node = member.kind === "directory"
      ? new TarDirectory(this, id, member)
      : member.kind === "file"
      ? new TarFile(this, id, member, source)
      : member.kind === "symlink"
      ? new TarLink(this, id, member)
      : Object.assign(new TarNode(this, id, member), special(member));
    this.#nodes.push(node);
    return node;
  }

  /** A further name of a file. */
  #linked(top: TarDirectory, { path, target }: TarMember): Node {
    let node: Node | undefined = top;
    for (const name of target.split("/")) {
      node = node instanceof TarDirectory ? node.children.get(name) : undefined;
    }
    if (node === undefined || node.kind === "directory") {
      throw new FormatError(
        `Cannot read tar archive: "${path}" is another name of "${target}", which is not a file before it`,
      );
    }
    if (node instanceof TarFile) node.nameCount++;
    return node;
  }

  #directoryAt(names: readonly string[], top: TarDirectory = this.root): TarDirectory {
    let directory = top;
    for (const name of names) {
      let child = directory.children.get(name);
      if (child === undefined) {
        child = new TarDirectory(this, this.#nextId, this.#implied);
        this.#nodes.push(child);
        directory.children.set(name, child);
      }
      if (!(child instanceof TarDirectory)) {
        throw new FormatError(
          `Cannot read tar archive: something lies in "${
            names.join("/")
          }", which is not a directory`,
        );
      }
      directory = child;
    }
    return directory;
  }
}

function special({ kind, major, minor }: TarMember) {
  const type = FILE_TYPES[kind as "fifo"];
  return specialKind(type, rdevOf(major, minor));
}

function rdevOf(major: number, minor: number): number {
  return Number(joinDeviceNumber({ major: BigInt(major), minor: BigInt(minor) }));
}

class TarNode extends MetadataNode {
  readonly origin: object;
  readonly id: number;
  member: TarMember;

  constructor(origin: object, id: number, member: TarMember) {
    super();
    this.origin = origin;
    this.id = id;
    this.member = member;
  }

  override get metadata(): Metadata {
    const { mode, uid, gid, mtime, xattrs, acl } = this.member;
    const attributes = { mode: this.mode & ~0o7777 | mode, uid, gid, mtime };
    const metadata = metadataFromXattrs(
      attributes,
      new Map(xattrs.map(({ name, value }) => [name, value])),
    );
    // The kernel's attribute, with numbers, is surer than words.
    return acl === undefined || metadata.acl !== NO_ACL ? metadata : { ...metadata, acl };
  }

  override get mode(): number {
    return FILE_TYPES[this.member.kind as "file"] | this.member.mode;
  }

  override get rdev(): number {
    const { kind, major, minor } = this.member;
    return kind === "character" || kind === "block" ? rdevOf(major, minor) : 0;
  }
}

class TarDirectory extends TarNode implements DirectoryNode {
  readonly kind = "directory";
  readonly children = new Map<string, Node>();
  /** A name that is in no listing. */
  unlisted: string | undefined;

  get entryCount(): number | undefined {
    return this.unlisted === undefined ? this.children.size : undefined;
  }

  lookup(name: string): Node | undefined {
    return this.children.get(name);
  }

  *entries(): Iterable<DirectoryEntry> {
    for (const [name, node] of this.children) {
      if (name !== this.unlisted) yield { name, node };
    }
  }
}

class TarLink extends TarNode {
  readonly kind = "symlink";

  get target(): string {
    return this.member.target;
  }

  override get size(): number {
    return encodeFileName(this.target).length;
  }
}

class TarFile extends TarNode implements FileNode {
  readonly kind = "file";
  nameCount = 1;
  readonly #source: ByteSource;

  constructor(origin: object, id: number, member: TarMember, source: ByteSource) {
    super(origin, id, member);
    this.#source = source;
  }

  override get size(): number {
    return this.member.size;
  }

  get dataBytes(): number {
    const { ranges, size } = this.member;
    return ranges?.reduce((sum, range) => sum + range.size, 0) ?? size;
  }

  override get nlink(): number {
    return this.nameCount;
  }

  get linkCount(): number {
    return this.nameCount;
  }

  open(): FileContent {
    const { size, offset, ranges = [{ offset: 0, size }] } = this.member;
    return new TarContent(this.#source, size, offset, ranges);
  }
}

/** A file of which ranges are stored one behind the other; the rest is zeros. */
class TarContent implements FileContent {
  readonly #source: ByteSource;
  readonly #size: number;
  readonly #ranges: readonly (DataRange & { readonly stored: number })[];

  constructor(source: ByteSource, size: number, offset: number, ranges: readonly DataRange[]) {
    this.#source = source;
    this.#size = size;
    let stored = offset;
    this.#ranges = ranges.filter((range) => range.size > 0).map((range) => {
      const placed = { ...range, stored };
      stored += range.size;
      return placed;
    });
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const end = Math.min(offset + size, this.#size);
    if (offset >= end) return 0;
    target.bytes.fill(0, start, start + end - offset);
    for (let index = this.#rangeAt(offset); index < this.#ranges.length; index++) {
      const range = this.#ranges[index]!;
      if (range.offset >= end) break;
      const from = Math.max(offset, range.offset);
      const count = Math.min(end, range.offset + range.size) - from;
      const position = range.stored + from - range.offset;
      if (count > 0) this.#source.readAt(target, start + from - offset, count, position);
    }
    return end - offset;
  }

  nextData(offset: number): number {
    const range = this.#ranges[this.#rangeAt(offset)];
    return range === undefined ? this.#size : Math.max(offset, range.offset);
  }

  nextHole(offset: number): number {
    let end = offset;
    for (let index = this.#rangeAt(offset); index < this.#ranges.length; index++) {
      const range = this.#ranges[index]!;
      if (range.offset > end) break;
      end = range.offset + range.size;
    }
    return Math.min(end, this.#size);
  }

  close(): void {}

  /** The first range that ends behind an offset. */
  #rangeAt(offset: number): number {
    let low = 0;
    for (let high = this.#ranges.length; low < high;) {
      const middle = (low + high) >> 1;
      const { offset: start, size } = this.#ranges[middle]!;
      if (start + size <= offset) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}
