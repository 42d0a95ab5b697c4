/**
 * Directories read by system calls relative to descriptors: no name can be swapped for a link on
 * the way. Needs FFI.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt, preadInto } from "#ffi/libc/metadata.ts";
import type { Metadata } from "#src/tree/metadata.ts";
import { NativeMetadataReader } from "./native_metadata.ts";
import type { BuildReportBuilder } from "./report.ts";
import type {
  BuildSource,
  DataExtent,
  MetadataOptions,
  SourceDirectory,
  SourceFile,
} from "./source.ts";

const { Errno, OpenFlag } = host;

/** O_NONBLOCK: what was a file when it was listed may be a FIFO when it is opened. */
const FILE_FLAGS = OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NOCTTY | OpenFlag.NONBLOCK;
/** A directory is opened with these: a symbolic link is none. */
export const DIRECTORY_FLAGS = FILE_FLAGS | OpenFlag.DIRECTORY;

const LISTING_SIZE = 256 << 10;
const listing = new Uint8Array(LISTING_SIZE);
const listingView = new DataView(listing.buffer);
/** Offsets in struct linux_dirent64. */
const RECORD_LENGTH_OFFSET = 16;
const TYPE_OFFSET = 18;
const NAME_OFFSET = 19;

/** Opens a directory by its path. @returns a descriptor or a negative errno; ELOOP for a link */
export type OpenDirectory = (path: string) => number;

/**
 * Makes a source of system calls. See {@link MakeBuildSource}.
 *
 * @param open opens what is not reached from a directory that is open; anything unless told
 */
export function makeNativeSource(
  options: MetadataOptions,
  report: BuildReportBuilder,
  open: OpenDirectory = openDirectoryByPath,
): BuildSource {
  host.raiseOpenFileLimit();
  return new HostSource(new NativeMetadataReader(options, report), open);
}

/** Opens a directory, wherever it is. See {@link OpenDirectory}. */
export function openDirectoryByPath(path: string): number {
  const fd = openQuietlyAt(host.At.FDCWD, path, DIRECTORY_FLAGS);
  if (fd !== -Errno.ENOTDIR) return fd;
  const stat = new host.HostStat();
  const isLink = host.lstat(path, stat) >= 0 && entryType(stat.mode) === EntryType.SYMLINK;
  return isLink ? -Errno.ELOOP : fd;
}

class HostSource implements BuildSource {
  readonly uid: number = host.getEffectiveUid();
  readonly gid: number = host.getEffectiveGid();
  readonly #reader: NativeMetadataReader;
  readonly #open: OpenDirectory;

  constructor(reader: NativeMetadataReader, open: OpenDirectory) {
    this.#reader = reader;
    this.#open = open;
  }

  openRoot(path: string, stat: host.HostStat): SourceDirectory | number {
    return opened(this.#open(path), stat, this.#reader);
  }
}

class HostFile implements SourceFile {
  readonly fd: number;
  readonly #reader: NativeMetadataReader;

  constructor(fd: number, reader: NativeMetadataReader) {
    this.fd = fd;
    this.#reader = reader;
  }

  metadata(stat: host.HostStat, path: string): Metadata {
    return this.#reader.read(this.fd, stat, path);
  }

  read(target: Uint8Array, offset: number): number {
    while (true) {
      const count = preadInto(this.fd, target as Uint8Array<ArrayBuffer>, offset);
      if (count !== -Errno.EINTR) return count;
    }
  }

  findData(offset: number, extent: DataExtent): boolean {
    const start = host.lseek(this.fd, offset, host.Seek.DATA);
    if (start === -Errno.ENXIO) {
      extent.start = extent.end = Infinity;
      return true;
    }
    if (start < 0) return false;
    const end = host.lseek(this.fd, start, host.Seek.HOLE);
    if (end < 0) return false;
    extent.start = start;
    extent.end = end;
    return true;
  }

  close(): void {
    host.close(this.fd);
  }
}

/** The directory of a new descriptor, or of none. */
function opened(
  fd: number,
  stat: host.HostStat,
  reader: NativeMetadataReader,
): SourceDirectory | number {
  if (fd < 0) return fd;
  const result = host.statFd(fd, stat);
  if (result >= 0) return new HostDirectory(fd, stat.device, reader);
  host.close(fd);
  return result;
}

/**
 * Calls `take` for the names in an open directory, from where it was read to. See
 * {@link SourceDirectory.list}.
 */
export function listDirectory(fd: number, take: (name: string, type: number) => void): number {
  while (true) {
    const size = host.getdents(fd, listing);
    if (size <= 0) return size;
    for (let offset = 0; offset < size;) {
      const next = offset + listingView.getUint16(offset + RECORD_LENGTH_OFFSET, true);
      const start = offset + NAME_OFFSET;
      const name = decodeFileName(listing.subarray(start, listing.indexOf(0, start)));
      const type = listing[offset + TYPE_OFFSET]!;
      offset = next;
      if (name !== "." && name !== "..") take(name, type);
    }
  }
}

class HostDirectory implements SourceDirectory {
  readonly #fd: number;
  readonly #device: number;
  readonly #reader: NativeMetadataReader;

  constructor(fd: number, device: number, reader: NativeMetadataReader) {
    this.#fd = fd;
    this.#device = device;
    this.#reader = reader;
  }

  list(take: (name: string, type: number) => void): number {
    return listDirectory(this.#fd, take);
  }

  stat(name: string, stat: host.HostStat): number {
    return host.statAt(this.#fd, name, stat);
  }

  openFile(name: string, stat: host.HostStat): SourceFile | number {
    const fd = openQuietlyAt(this.#fd, name, FILE_FLAGS);
    if (fd < 0) return fd;
    const result = host.statFd(fd, stat);
    const isFile = entryType(stat.mode) === EntryType.FILE;
    if (result >= 0 && isFile) return new HostFile(fd, this.#reader);
    host.close(fd);
    return result < 0 ? result : -Errno.ENXIO;
  }

  openDirectory(name: string, stat: host.HostStat): SourceDirectory | number {
    return opened(openQuietlyAt(this.#fd, name, DIRECTORY_FLAGS), stat, this.#reader);
  }

  readLink(name: string): string | number {
    const target = host.readlinkAt(this.#fd, name);
    return typeof target === "number" ? target : decodeFileName(target);
  }

  metadata(stat: host.HostStat, path: string): Metadata {
    return this.#reader.read(this.#fd, stat, path);
  }

  isPseudo(): boolean {
    return this.#reader.features(this.#fd, this.#device).isPseudo;
  }

  close(): void {
    host.close(this.#fd);
  }
}
