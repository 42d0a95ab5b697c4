/**
 * A directory of this computer with everything that system calls tell of it, as a
 * {@link TreeReader}. Needs FFI; without it a `LoopbackTree` shows less.
 *
 * @module
 */

import { OsError } from "#src/errors.ts";
import { Errno, HostStat } from "#ffi/libc/calls.ts";
import { makeNativeSource } from "#src/pxar/builder/native_source.ts";
import type { BuildSource } from "#src/pxar/builder/source.ts";
import { BuildReportBuilder } from "#src/pxar/builder/report.ts";
import { type SourceDirectory, type SourceFile, statMetadata } from "#src/pxar/builder/source.ts";
import type { PxarMetadata } from "#src/pxar/entry.ts";
import { splitDeviceNumber } from "#src/pxar/format/device.ts";
import { FileType } from "#src/tree/node.ts";
import { compareNames, joinPath } from "./paths.ts";
import {
  METADATA_FIELDS,
  type NamedEntry,
  type ReaderContent,
  type ReaderDirectory,
  type ReaderEntry,
  type TreeReader,
} from "./reader.ts";

/** How a directory is read. */
export interface DirectoryReaderOptions {
  /** Hears of attributes that cannot be read; the entry is then shown without them. */
  readonly onProblem?: (path: string, message: string) => void;
}

/**
 * Reads the directory at `path`, which must not be a symbolic link; links in it are not followed
 * either. Names are looked up in open directories from the root on each time, and nothing stays
 * open.
 *
 * @throws {OsError} now and later, when something cannot be read
 */
export function readDirectory(path: string, options: DirectoryReaderOptions = {}): TreeReader {
  const place = new Place(path, options);
  return {
    root: place.readRoot(),
    knownFields: new Set(METADATA_FIELDS),
    mtimePrecisionNs: 1,
    prelude: undefined,
  };
}

/** The directory on the host, and what its entries share. */
class Place {
  readonly #path: string;
  readonly #source: BuildSource;
  readonly #stat = new HostStat();
  /** Entries are known by their inode numbers; each file system counts its own. */
  readonly #origins = new Map<number, object>();

  constructor(path: string, { onProblem }: DirectoryReaderOptions) {
    this.#path = path;
    const report = new BuildReportBuilder((problem) => onProblem?.(problem.path, problem.message));
    const metadata = { xattrs: true, fcaps: true, acls: true, skipsLargeXattrs: false };
    this.#source = makeNativeSource(metadata, report);
  }

  readRoot(): ReaderDirectory {
    return this.#inDirectory([], (directory) => {
      const metadata = directory.metadata(this.#stat, "/");
      return new HostDirectory(this, [], this.#identity(), metadata);
    });
  }

  /** All entries of the directory that `names` lead to. */
  readChildren(names: readonly string[]): NamedEntry[] {
    return this.#inDirectory(names, (directory) => {
      const listed: string[] = [];
      this.#check(directory.list((name) => listed.push(name)), "list", names);
      return listed.map((name) => ({ name, entry: this.#read(directory, [...names, name]) }))
        .sort((a, b) => compareNames(a.name, b.name));
    });
  }

  readChild(names: readonly string[]): ReaderEntry | undefined {
    return this.#inDirectory(names.slice(0, -1), (directory) => {
      const result = directory.stat(names.at(-1)!, this.#stat);
      return result === -Errno.ENOENT ? undefined : this.#read(directory, names);
    });
  }

  openFile(names: readonly string[]): ReaderContent {
    const file = this.#inDirectory(names.slice(0, -1), (it) => this.#open(it, names));
    return {
      readAt: (target, offset) => this.#check(file.read(target, offset), "read", names),
      close: () => file.close(),
    };
  }

  #read(directory: SourceDirectory, names: readonly string[]): ReaderEntry {
    const name = names.at(-1)!;
    const stat = this.#stat;
    this.#check(directory.stat(name, stat), "stat", names);
    const type = stat.mode & FileType.MASK;
    if (type === FileType.DIRECTORY) {
      const child = directory.openDirectory(name, stat);
      if (typeof child === "number") return this.#fail(child, "open", names);
      try {
        const metadata = child.metadata(stat, joinPath(names));
        return new HostDirectory(this, names, this.#identity(), metadata);
      } finally {
        child.close();
      }
    }
    if (type === FileType.FILE) return this.#readFile(directory, names);
    const base = { ...this.#identity(), metadata: statMetadata(stat) };
    if (type === FileType.SYMLINK) {
      const target = directory.readLink(name);
      if (typeof target === "number") return this.#fail(target, "read link", names);
      return { ...base, kind: "symlink", target };
    }
    if (type === FileType.FIFO) return { ...base, kind: "fifo" };
    if (type === FileType.SOCKET) return { ...base, kind: "socket" };
    return { ...base, kind: "device", ...splitDeviceNumber(BigInt(stat.rdev)) };
  }

  #readFile(directory: SourceDirectory, names: readonly string[]): ReaderEntry {
    const stat = this.#stat;
    const file = this.#open(directory, names);
    try {
      return {
        ...this.#identity(),
        kind: "file",
        metadata: file.metadata(stat, joinPath(names)),
        size: stat.size,
        linkCount: stat.nlink,
        payload: undefined,
        open: () => this.openFile(names),
      };
    } finally {
      file.close();
    }
  }

  #open(directory: SourceDirectory, names: readonly string[]): SourceFile {
    const file = directory.openFile(names.at(-1)!, this.#stat);
    return typeof file === "number" ? this.#fail(file, "open", names) : file;
  }

  #identity(): { readonly origin: object; readonly id: number } {
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

class HostDirectory implements ReaderDirectory {
  readonly kind = "directory";
  readonly origin: object;
  readonly id: number;
  readonly metadata: PxarMetadata;
  readonly #place: Place;
  readonly #names: readonly string[];

  constructor(
    place: Place,
    names: readonly string[],
    { origin, id }: { readonly origin: object; readonly id: number },
    metadata: PxarMetadata,
  ) {
    this.origin = origin;
    this.id = id;
    this.metadata = metadata;
    this.#place = place;
    this.#names = names;
  }

  lookup(name: string): ReaderEntry | undefined {
    return this.#place.readChild([...this.#names, name]);
  }

  children(): readonly NamedEntry[] {
    return this.#place.readChildren(this.#names);
  }
}
