/**
 * Trees as sources of archives and backups, beside the directories of this computer.
 *
 * @module
 */

import { Errno, type HostStat } from "#ffi/libc/calls.ts";
import { entryType } from "#src/bytes/file_type.ts";
import { OsError } from "#src/errors.ts";
import type {
  BuildSource,
  MakeBuildSource,
  MetadataOptions,
  SourceDirectory,
  SourceFile,
} from "#src/pxar/builder/source.ts";
import { joinDeviceNumber } from "#src/bytes/device_number.ts";
import { NO_ACL } from "#src/bytes/acl.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import type { DirectoryNode, Node, Tree } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";
import { contentOf } from "./content.ts";

/** Unit of `st_blocks`. */
const BLOCK_SIZE = 512;

/**
 * Makes archives of a tree, with everything the builder does: patterns, reports, backups that read
 * only what has changed. Paths begin at the root of the tree.
 *
 * A read that fails costs what it is about, as with files of this computer; damage of what the tree
 * is read from ends the archive with the error that says where it is.
 *
 * @example
 * ```ts
 * import { memoryDirectory, memoryFile, MemoryTree } from "@pbkfs/pbkfs/tree";
 * import { buildArchive } from "@pbkfs/pbkfs/pxar";
 * import { makeTreeSource } from "@pbkfs/pbkfs/transfer";
 *
 * const tree = new MemoryTree(memoryDirectory({ "a.txt": memoryFile("hello") }));
 * const sink = { write: (bytes: Uint8Array) => console.log(bytes.length) };
 * buildArchive("/", { metadata: sink }, { makeSource: makeTreeSource(tree) });
 * ```
 */
export function makeTreeSource(tree: Tree): MakeBuildSource {
  return (options): BuildSource => {
    const source = new TreeSource(options);
    return {
      uid: 0,
      gid: 0,
      openRoot: (path, stat) => source.openDirectory(findEntry(tree, path), stat),
    };
  };
}

/** What the directories of a tree share. */
class TreeSource {
  readonly #options: MetadataOptions;
  readonly #origins = new Map<object, number>();

  constructor(options: MetadataOptions) {
    this.#options = options;
  }

  openDirectory(entry: Node | undefined, stat: HostStat): SourceDirectory | number {
    if (entry === undefined) return -Errno.ENOENT;
    if (entry.kind === "symlink") return -Errno.ELOOP;
    if (entry.kind !== "directory") return -Errno.ENOTDIR;
    this.fill(entry, stat);
    return new TreeDirectory(entry, this);
  }

  openFile(entry: Node | undefined, stat: HostStat): SourceFile | number {
    if (entry === undefined) return -Errno.ENOENT;
    if (entry.kind !== "file") return -Errno.ENXIO;
    this.fill(entry, stat);
    const content = attempt(() => contentOf(entry));
    if (typeof content === "number") return content;
    return {
      metadata: () => this.metadataOf(entry),
      read: (target, offset) => attempt(() => content.readAt(target, offset)),
      close: () => content.close?.(),
    };
  }

  metadataOf({ metadata }: Node): Metadata {
    const { xattrs, acls, fcaps } = this.#options;
    return {
      ...metadata,
      xattrs: xattrs ? metadata.xattrs : [],
      acl: xattrs && acls ? metadata.acl : NO_ACL,
      fcaps: xattrs && fcaps ? metadata.fcaps : undefined,
    };
  }

  /** Sets what the builder asks for. All directories are on one device, or it would leave some. */
  fill(entry: Node, stat: HostStat): void {
    const { mode, uid, gid, mtime } = entry.metadata;
    stat.mode = mode;
    stat.uid = uid;
    stat.gid = gid;
    stat.mtimeSeconds = mtime.seconds;
    stat.mtimeNanoseconds = mtime.nanoseconds;
    stat.ino = entry.id;
    stat.device = entry.kind === "file" ? this.#deviceOf(entry.origin) : 0;
    // Where nobody has counted the names there may be others.
    stat.nlink = entry.kind === "file" ? entry.linkCount ?? 2 : 1;
    stat.size = entry.kind === "file" ? entry.attributes.size : 0;
    stat.blocks = Math.ceil(stat.size / BLOCK_SIZE);
    stat.rdev = entry.kind === "device" ? Number(joinDeviceNumber(entry)) : 0;
  }

  /** Files of different origins may have the same id. */
  #deviceOf(origin: object): number {
    let device = this.#origins.get(origin);
    if (device === undefined) this.#origins.set(origin, device = this.#origins.size);
    return device;
  }
}

class TreeDirectory implements SourceDirectory {
  readonly #directory: DirectoryNode;
  readonly #source: TreeSource;
  /** Of a directory that was listed, so that its entries are read once. */
  #children: ReadonlyMap<string, Node> | undefined;

  constructor(directory: DirectoryNode, source: TreeSource) {
    this.#directory = directory;
    this.#source = source;
  }

  list(take: (name: string, type: number) => void): number {
    const listed = attempt(() => Array.from(this.#directory.entries()));
    if (typeof listed === "number") return listed;
    this.#children = new Map(listed.map(({ name, node }) => [name, node]));
    for (const [name, { metadata }] of this.#children) take(name, entryType(metadata.mode));
    return 0;
  }

  stat(name: string, stat: HostStat): number {
    return this.#with(name, (entry) => {
      if (entry === undefined) return -Errno.ENOENT;
      this.#source.fill(entry, stat);
      return 0;
    });
  }

  openFile(name: string, stat: HostStat): SourceFile | number {
    return this.#with(name, (entry) => this.#source.openFile(entry, stat));
  }

  openDirectory(name: string, stat: HostStat): SourceDirectory | number {
    return this.#with(name, (entry) => this.#source.openDirectory(entry, stat));
  }

  readLink(name: string): string | number {
    return this.#with(name, (entry) => entry?.kind === "symlink" ? entry.target : -Errno.EINVAL);
  }

  metadata(): Metadata {
    return this.#source.metadataOf(this.#directory);
  }

  close(): void {}

  #with<Result>(
    name: string,
    use: (entry: Node | undefined) => Result | number,
  ): Result | number {
    if (this.#children !== undefined) return use(this.#children.get(name));
    return attempt(() => use(this.#directory.lookup(name)));
  }
}

/** What `read` gives, or the errno of the call that failed. */
function attempt<Result>(read: () => Result): Result | number {
  try {
    return read();
  } catch (error) {
    if (error instanceof OsError) return -error.errno;
    throw error;
  }
}
