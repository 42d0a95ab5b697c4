/**
 * A directory of the host as a tree that is read as it is asked for.
 *
 * It shows each file as it was when it was first seen: one that has got another content since, or
 * is another file, cannot be read any more (`source-changed`). Names that come and go meanwhile,
 * and other owners and modes, are shown as they are.
 *
 * @module
 */

import { Failure } from "#src/errors.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import * as host from "#ffi/libc/calls.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { nativeSourceOf } from "#src/io/files/native_source.ts";
import { statMetadata } from "#src/pxar/builder/source.ts";
import { ALL_FIELDS, type Metadata, xattrsFromMetadata } from "#src/tree/metadata.ts";
import {
  type Attributes,
  type DirectoryEntry,
  type DirectoryNode,
  type FileContent,
  type FileNode,
  FileType,
  type MountableTree,
  type Node,
  specialKind,
  type Timestamp,
} from "#src/tree/node.ts";
import type { DirectoryPlace, SeenFile } from "./directory_place.ts";
import type { Row } from "./inode_table.ts";

/** See above. Threads that share the place's memory agree about the numbers of files. */
export class DirectoryTree implements MountableTree {
  readonly knownFields = ALL_FIELDS;
  readonly #place: DirectoryPlace;

  /** @param place is closed with the tree */
  constructor(place: DirectoryPlace) {
    this.#place = place;
  }

  get root(): DirectoryNode {
    return new HostDirectory(this.#place, this.#place.root());
  }

  nodeById(id: number): Node | undefined {
    const row = this.#place.table.find(id);
    return row === 0 ? undefined : nodeOf(this.#place, this.#place.again(row));
  }

  close(): void {
    this.#place.close();
  }
}

function nodeOf(place: DirectoryPlace, found: SeenFile): Node {
  const { mode, rdev } = found.stat;
  const type = mode & FileType.MASK;
  if (type === FileType.DIRECTORY) return new HostDirectory(place, found);
  if (type === FileType.FILE) return new HostFile(place, found);
  if (type === FileType.SYMLINK) return new HostLink(place, found);
  return Object.assign(new HostNode(place, found), specialKind(mode, rdev));
}

/** A node that is its own attributes. */
class HostNode implements Attributes {
  readonly origin: DirectoryPlace;
  readonly id: number;
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly size: number;
  readonly mtime: Timestamp;
  readonly nlink: number;
  readonly rdev: number;
  protected readonly row: Row;

  constructor(place: DirectoryPlace, { row, stat }: SeenFile) {
    const { table } = place;
    const type = stat.mode & FileType.MASK;
    this.origin = place;
    this.row = row;
    this.id = table.id(row);
    this.mode = stat.mode;
    this.uid = stat.uid;
    this.gid = stat.gid;
    this.size = type === FileType.FILE || type === FileType.SYMLINK ? stat.size : 0;
    this.mtime = { seconds: stat.mtimeSeconds, nanoseconds: stat.mtimeNanoseconds };
    this.nlink = type === FileType.DIRECTORY ? 1 : table.nameCount(row) || stat.nlink;
    this.rdev = type === FileType.FILE ? 0 : stat.rdev;
  }

  get attributes(): Attributes {
    return this;
  }

  /** Of what must not be opened nothing else can be asked. */
  get metadata(): Metadata {
    return statMetadata(this.origin.again(this.row).stat);
  }

  xattrs(): ReadonlyMap<string, Uint8Array> {
    return xattrsFromMetadata(this.metadata);
  }
}

class HostDirectory extends HostNode implements DirectoryNode {
  readonly kind = "directory";

  override get metadata(): Metadata {
    return this.origin.metadata(this.row);
  }

  lookup(name: string): Node | undefined {
    const found = this.origin.lookup(this.row, name);
    return found && nodeOf(this.origin, found);
  }

  *entries(onDamage?: (damage: Error) => void): Iterable<DirectoryEntry> {
    const { origin: place, row } = this;
    let names: string[];
    try {
      names = place.list(row);
    } catch (error) {
      if (onDamage === undefined || !(error instanceof Failure)) throw error;
      return onDamage(error);
    }
    for (const name of names) {
      yield {
        name,
        get node() {
          const found = place.lookup(row, name);
          if (found !== undefined) return nodeOf(place, found);
          throw new host.OsError(host.Errno.ENOENT, "stat", place.pathOf(row, name));
        },
      };
    }
  }
}

class HostFile extends HostNode implements FileNode {
  readonly kind = "file";

  override get metadata(): Metadata {
    return this.origin.metadata(this.row);
  }

  get linkCount(): number {
    return this.nlink;
  }

  get plainPath(): string {
    return this.origin.pathOf(this.row);
  }

  open(): FileContent {
    const { origin: place, row, size } = this;
    return new HostContent(place, row, place.openFile(row), size);
  }
}

class HostLink extends HostNode {
  readonly kind = "symlink";

  get target(): string {
    return this.origin.readLink(this.row);
  }
}

class HostContent implements FileContent {
  readonly #place: DirectoryPlace;
  readonly #row: Row;
  readonly #fd: number;
  readonly #source: ByteSource;

  constructor(place: DirectoryPlace, row: Row, fd: number, size: number) {
    this.#place = place;
    this.#row = row;
    this.#fd = fd;
    this.#source = nativeSourceOf(fd, size, place.pathOf(row));
  }

  readInto(target: NativeBuffer, start: number, size: number, offset: number): number {
    const count = Math.min(size, this.#source.size - offset);
    if (count <= 0) return 0;
    return this.#use(() => this.#source.readAt(target, start, count, offset));
  }

  nextData(offset: number): number {
    return this.#seek(offset, host.Seek.DATA);
  }

  nextHole(offset: number): number {
    return this.#seek(offset, host.Seek.HOLE);
  }

  close(): void {
    this.#source.close();
  }

  #seek(offset: number, whence: number): number {
    const result = this.#use(() => host.lseek(this.#fd, offset, whence));
    if (result >= 0) return result;
    // Nothing follows, or the file system cannot tell: then all is data.
    const { size } = this.#source;
    return result === -host.Errno.ENXIO || whence === host.Seek.HOLE ? size : offset;
  }

  #use<Result>(call: () => Result): Result {
    return this.#place.withFile(this.#row, this.#fd, call);
  }
}
