/**
 * A directory of the host as a thread reaches it: from one open descriptor on, name by name, never
 * through a symbolic link, and never to another file than the one that was first seen.
 *
 * @module
 */

import { Errno, OsError, StateError } from "#src/errors.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { waitAt, type WaitGate } from "#src/io/wait_gate.ts";
import { NativeMetadataReader } from "#src/pxar/builder/native_metadata.ts";
import { listDirectory } from "#src/pxar/builder/native_source.ts";
import { BuildReportBuilder } from "#src/pxar/builder/report.ts";
import { statMetadata } from "#src/pxar/builder/source.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { InodeTable, type Row } from "./inode_table.ts";

const { OpenFlag } = host;
/** O_NONBLOCK: what was a file when it was seen may be a FIFO when it is opened. */
const FILE_FLAGS = OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NOCTTY | OpenFlag.NONBLOCK;
const DIRECTORY_FLAGS = FILE_FLAGS | OpenFlag.DIRECTORY;
/** To look names up only what is above must be entered, not be read. */
const PATH_FLAGS = OpenFlag.PATH | OpenFlag.NOFOLLOW | OpenFlag.DIRECTORY;

/** What a name that was there leads to when it is there no longer. */
const GONE: ReadonlySet<number> = new Set([
  -Errno.ENOENT,
  -Errno.ENOTDIR,
  -Errno.ELOOP,
  -Errno.ENXIO,
  -Errno.ESTALE,
]);

/** Something in the directory: its row, and the attributes that it has at this moment. */
export interface SeenFile {
  readonly row: Row;
  /** Good until the next call. */
  readonly stat: host.HostStat;
}

/** See above. Closing it leaves the descriptor open. */
export class DirectoryPlace {
  readonly table: InodeTable;
  readonly #path: string;
  readonly #rootFd: number;
  readonly #gate: WaitGate;
  readonly #stat = new host.HostStat();
  readonly #reader: NativeMetadataReader;
  /** The directory that was opened last, since names are mostly asked for one after the other. */
  #latest: { readonly row: Row; readonly fd: number } | undefined;

  /**
   * @param rootFd the open directory
   * @param path of it, for messages
   * @param gate is told of every call
   */
  constructor(rootFd: number, path: string, memory: SharedArrayBuffer, gate: WaitGate) {
    this.table = new InodeTable(memory);
    this.#path = path;
    this.#rootFd = rootFd;
    this.#gate = gate;
    const report = new BuildReportBuilder((problem) => {
      throw new StateError("partial", `${problem.message} ("${path}${problem.path}")`);
    });
    const options = { xattrs: true, fcaps: true, acls: true, skipsLargeXattrs: false };
    this.#reader = new NativeMetadataReader(options, report);
  }

  /** The directory itself. @throws {OsError} */
  root(): SeenFile {
    return waitAt(this.#gate, () => {
      host.unwrap(host.statFd(this.#rootFd, this.#stat), "stat", this.#path);
      return this.#note(0, "");
    });
  }

  /** What is called `name` in a directory, or undefined. @throws {StateError | OsError} */
  lookup(directory: Row, name: string): SeenFile | undefined {
    if (name === "" || name.includes("/") || name.includes("\0")) return undefined;
    return waitAt(this.#gate, () => {
      const result = host.statAt(this.#openDirectory(directory), name, this.#stat);
      if (result === -Errno.ENOENT || result === -Errno.ENAMETOOLONG) return undefined;
      if (result < 0) throw new OsError(-result, "stat", this.pathOf(directory, name));
      return this.#note(directory, name);
    });
  }

  /** The same, of a file that was seen before. @throws {StateError | OsError} */
  again(row: Row): SeenFile {
    const { table } = this;
    const found = this.#isRoot(row) ? this.root() : this.lookup(table.parent(row), table.name(row));
    if (found?.row === row) return found;
    throw this.#changed(row);
  }

  /** Names in a directory, sorted. @throws {StateError | OsError} */
  list(directory: Row): string[] {
    return waitAt(this.#gate, () => {
      const names: string[] = [];
      const fd = this.#open(directory, DIRECTORY_FLAGS);
      try {
        const result = listDirectory(fd, (name) => names.push(name));
        if (result < 0) throw new OsError(-result, "list", this.pathOf(directory));
      } finally {
        host.close(fd);
      }
      // Each thread lists for itself, and positions in the list are the same for all.
      return names.sort();
    });
  }

  /** Target of a symbolic link. @throws {StateError | OsError} */
  readLink(row: Row): string {
    return waitAt(this.#gate, () => {
      const parent = this.#openDirectory(this.table.parent(row));
      const target = host.readlinkAt(parent, this.table.name(row));
      if (typeof target === "number") throw this.#failure(target, "read link", row);
      return decodeFileName(target);
    });
  }

  /** All metadata of a file or directory; only what stat tells where it may not be opened. */
  metadata(row: Row): Metadata {
    return waitAt(this.#gate, () => {
      const fd = this.#tryOpen(row, FILE_FLAGS);
      if (fd === -Errno.EACCES) return statMetadata(this.again(row).stat);
      if (fd < 0) throw this.#failure(fd, "open", row);
      try {
        return this.#reader.read(fd, this.#stat, `/${this.pathIn(row)}`);
      } finally {
        host.close(fd);
      }
    });
  }

  /** Opens a regular file for reading. @throws {StateError | OsError} */
  openFile(row: Row): number {
    return waitAt(this.#gate, () => this.#open(row, FILE_FLAGS));
  }

  /**
   * Does something with an open file, and sees to it that it was the one that was first seen.
   *
   * @throws {StateError | OsError}
   */
  withFile<Result>(row: Row, fd: number, use: () => Result): Result {
    return waitAt(this.#gate, () => {
      const result = use();
      // Behind it: whoever writes changes the time before the content.
      host.unwrap(host.statFd(fd, this.#stat), "stat", this.#path);
      if (!this.table.isSame(row, this.#stat)) throw this.#changed(row);
      return result;
    });
  }

  /** Path from the directory on. */
  pathIn(row: Row, ...names: string[]): string {
    const { table } = this;
    for (let each = row; !this.#isRoot(each); each = table.parent(each)) {
      names.unshift(table.name(each));
    }
    return names.join("/");
  }

  /** Absolute path, for messages. */
  pathOf(row: Row, ...names: string[]): string {
    const path = this.pathIn(row, ...names);
    return path === "" ? this.#path : `${this.#path}/${path}`;
  }

  close(): void {
    if (this.#latest !== undefined) host.close(this.#latest.fd);
    this.#latest = undefined;
  }

  #note(parent: Row, name: string): SeenFile {
    const row = this.table.note(this.#stat, parent, name);
    if (row === undefined) throw changedSince(this.pathOf(parent, name));
    return { row, stat: this.#stat };
  }

  /**
   * A directory in which names are looked up; open until another one is. What is above it is opened
   * step by step, from the last one on where that is on the way.
   */
  #openDirectory(row: Row): number {
    const way: Row[] = [];
    let each = row;
    for (; !this.#isRoot(each) && each !== this.#latest?.row; each = this.table.parent(each)) {
      way.push(each);
    }
    for (const next of way.toReversed()) {
      const fd = this.#openIn(
        this.#isRoot(each) ? this.#rootFd : this.#latest!.fd,
        next,
        PATH_FLAGS,
      );
      if (fd < 0) throw this.#failure(fd, "open", next);
      this.close();
      this.#latest = { row: next, fd };
      each = next;
    }
    return this.#isRoot(row) ? this.#rootFd : this.#latest!.fd;
  }

  #open(row: Row, flags: number): number {
    const fd = this.#tryOpen(row, flags);
    if (fd < 0) throw this.#failure(fd, "open", row);
    return fd;
  }

  #tryOpen(row: Row, flags: number): number {
    if (this.#isRoot(row)) return this.#openIn(this.#rootFd, row, flags);
    return this.#openIn(this.#openDirectory(this.table.parent(row)), row, flags);
  }

  /** Opens what a row stands for, in its directory. Its attributes are in {@link #stat} then. */
  #openIn(parentFd: number, row: Row, flags: number): number {
    const fd = openQuietlyAt(parentFd, this.#isRoot(row) ? "." : this.table.name(row), flags);
    if (fd < 0) return fd;
    const result = host.statFd(fd, this.#stat);
    if (result >= 0 && this.table.isSame(row, this.#stat)) return fd;
    host.close(fd);
    return result < 0 ? result : -Errno.ESTALE;
  }

  #isRoot(row: Row): boolean {
    return this.table.parent(row) === 0;
  }

  #failure(result: number, call: string, row: Row): Error {
    return GONE.has(result) ? this.#changed(row) : new OsError(-result, call, this.pathOf(row));
  }

  #changed(row: Row): StateError {
    return changedSince(this.pathOf(row));
  }
}

function changedSince(path: string): StateError {
  return new StateError("source-changed", `"${path}" has changed since it was first looked at`, {
    hint: "A directory that is open as a source must stay as it is; open it again",
  });
}
