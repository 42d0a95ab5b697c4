/**
 * A directory of this computer as a tree.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { Errno, HostStat } from "#ffi/libc/calls.ts";
import { hostSource } from "#src/pxar/builder/host_source.ts";
import { BuildReportBuilder } from "#src/pxar/builder/report.ts";
import {
  type BuildSource,
  type SourceDirectory,
  type SourceFile,
  statMetadata,
} from "#src/pxar/builder/source.ts";
import type { Metadata, MetadataField } from "#src/tree/metadata.ts";
import { MetadataNode } from "#src/tree/metadata_node.ts";
import {
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type FileNode,
  FileType,
  type Node,
  specialKind,
  type Tree,
} from "#src/tree/node.ts";
import { joinPath } from "#src/tree/paths.ts";

/** How a directory is read. */
export interface LocalTreeOptions {
  /** Hears of attributes that cannot be read; the entry is then shown without them. */
  readonly onProblem?: (path: string, message: string) => void;
}

/**
 * A directory with all that system calls tell of it; less where there is no FFI. It may change
 * meanwhile: names are looked up in open directories from the root on each time, and nothing stays
 * open. Nodes are known by their inode numbers; each file system counts its own, so that it is the
 * origin.
 */
export class LocalTree implements Tree {
  /** The directory itself. */
  readonly root: DirectoryNode;
  /** See {@link Tree.knownFields}. */
  readonly knownFields: ReadonlySet<MetadataField> = hostSource.knownFields;
  /** See {@link Tree.mtimePrecisionNs}. */
  readonly mtimePrecisionNs: number = hostSource.mtimePrecisionNs;

  /**
   * Opens the directory once, to see that it is one.
   *
   * @param path must not be a symbolic link; links in it are not followed either
   * @throws {OsError} now and later, when something cannot be read
   */
  constructor(path: string, options: LocalTreeOptions = {}) {
    this.root = new Place(path, options).readRoot();
  }

  /** Nothing is held. */
  close(): void {}
}

/** The directory on the host, and what its nodes share. */
class Place {
  readonly #path: string;
  readonly #source: BuildSource;
  readonly #stat = new HostStat();
  readonly #origins = new Map<number, object>();

  constructor(path: string, { onProblem }: LocalTreeOptions) {
    this.#path = path;
    const report = new BuildReportBuilder((problem) => onProblem?.(problem.path, problem.message));
    const metadata = { xattrs: true, fcaps: true, acls: true, skipsLargeXattrs: false };
    this.#source = hostSource.make(metadata, report);
  }

  readRoot(): DirectoryNode {
    return this.#inDirectory([], (directory) => {
      const metadata = directory.metadata(this.#stat, "/");
      return new LocalDirectory(this, [], this.#identity(), metadata);
    });
  }

  /** All entries of the directory that `names` lead to. */
  readEntries(names: readonly string[]): DirectoryEntry[] {
    return this.#inDirectory(names, (directory) => {
      const listed: string[] = [];
      this.#check(directory.list((name) => listed.push(name)), "list", names);
      return listed.map((name) => ({ name, node: this.#read(directory, [...names, name]) }));
    });
  }

  readChild(names: readonly string[]): Node | undefined {
    return this.#inDirectory(names.slice(0, -1), (directory) => {
      const result = directory.stat(names.at(-1)!, this.#stat);
      return result === -Errno.ENOENT ? undefined : this.#read(directory, names);
    });
  }

  openFile(names: readonly string[]): FileContent {
    const file = this.#inDirectory(names.slice(0, -1), (it) => this.#open(it, names));
    return {
      readInto: ({ bytes }, start, size, offset) => {
        const target = bytes.subarray(start, start + size);
        let done = 0;
        while (done < size) {
          const result = file.read(target.subarray(done), offset + done);
          const count = this.#check(result, "read", names);
          if (count === 0) break;
          done += count;
        }
        return done;
      },
      close: () => file.close(),
    };
  }

  #read(directory: SourceDirectory, names: readonly string[]): Node {
    const name = names.at(-1)!;
    const stat = this.#stat;
    this.#check(directory.stat(name, stat), "stat", names);
    const type = stat.mode & FileType.MASK;
    if (type === FileType.DIRECTORY) {
      const child = directory.openDirectory(name, stat);
      if (typeof child === "number") return this.#fail(child, "open", names);
      try {
        const metadata = child.metadata(stat, joinPath(names));
        return new LocalDirectory(this, names, this.#identity(), metadata);
      } finally {
        child.close();
      }
    }
    if (type === FileType.FILE) return this.#readFile(directory, names);
    const node = new LocalNode(this.#identity(), statMetadata(stat), stat);
    if (type !== FileType.SYMLINK) return Object.assign(node, specialKind(stat.mode, stat.rdev));
    const target = directory.readLink(name);
    if (typeof target === "number") return this.#fail(target, "read link", names);
    return Object.assign(node, { kind: "symlink", target } as const);
  }

  #readFile(directory: SourceDirectory, names: readonly string[]): FileNode {
    const stat = this.#stat;
    const file = this.#open(directory, names);
    try {
      const metadata = file.metadata(stat, joinPath(names));
      const node = new LocalNode(this.#identity(), metadata, stat);
      const open = () => this.openFile(names);
      return Object.assign(node, { kind: "file", linkCount: stat.nlink, open } as const);
    } finally {
      file.close();
    }
  }

  #open(directory: SourceDirectory, names: readonly string[]): SourceFile {
    const file = directory.openFile(names.at(-1)!, this.#stat);
    return typeof file === "number" ? this.#fail(file, "open", names) : file;
  }

  #identity(): Identity {
    const { device, ino } = this.#stat;
    let origin = this.#origins.get(device);
    if (origin === undefined) this.#origins.set(device, origin = {});
    return { origin, id: ino };
  }

  /** Calls `use` with the directory that `names` lead to from the root. */
  #inDirectory<Result>(
    names: readonly string[],
    use: (directory: SourceDirectory) => Result,
  ): Result {
    let directory = this.#source.openRoot(this.#path, this.#stat);
    if (typeof directory === "number") return this.#fail(directory, "open", []);
    try {
      for (const [index, name] of names.entries()) {
        const child: SourceDirectory | number = directory.openDirectory(name, this.#stat);
        if (typeof child === "number") {
          return this.#fail(child, "open", names.slice(0, index + 1));
        }
        directory.close();
        directory = child;
      }
      return use(directory);
    } finally {
      directory.close();
    }
  }

  #check(result: number, call: string, names: readonly string[]): number {
    return result < 0 ? this.#fail(result, call, names) : result;
  }

  #fail(result: number, call: string, names: readonly string[]): never {
    throw new OsError(-result, call, [this.#path, ...names].join("/"));
  }
}

interface Identity {
  readonly origin: object;
  readonly id: number;
}

class LocalNode extends MetadataNode implements Identity {
  readonly origin: object;
  readonly id: number;
  readonly metadata: Metadata;
  readonly #size: number;
  readonly #nlink: number;
  readonly #rdev: number;

  constructor(
    { origin, id }: Identity,
    metadata: Metadata,
    stat: Pick<HostStat, "size" | "nlink" | "rdev">,
  ) {
    super();
    this.origin = origin;
    this.id = id;
    this.metadata = metadata;
    const type = metadata.mode & FileType.MASK;
    this.#size = type === FileType.FILE || type === FileType.SYMLINK ? stat.size : 0;
    this.#nlink = stat.nlink;
    this.#rdev = stat.rdev;
  }

  override get size(): number {
    return this.#size;
  }

  override get nlink(): number {
    return this.#nlink;
  }

  override get rdev(): number {
    return this.#rdev;
  }
}

class LocalDirectory extends LocalNode implements DirectoryNode {
  readonly kind = "directory";
  readonly #place: Place;
  readonly #names: readonly string[];

  constructor(place: Place, names: readonly string[], identity: Identity, metadata: Metadata) {
    super(identity, metadata, { size: 0, nlink: 1, rdev: 0 });
    this.#place = place;
    this.#names = names;
  }

  lookup(name: string): Node | undefined {
    return this.#place.readChild([...this.#names, name]);
  }

  entries(): readonly DirectoryEntry[] {
    return this.#place.readEntries(this.#names);
  }
}
