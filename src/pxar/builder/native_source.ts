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
import type { PxarMetadata } from "../entry.ts";
import { NativeMetadataReader } from "./native_metadata.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { BuildSource, DataExtent, MetadataOptions, SourceDirectory } from "./source.ts";

const { Errno, OpenFlag } = host;

/** O_NONBLOCK: what was a file when it was listed may be a FIFO when it is opened. */
const FILE_FLAGS = OpenFlag.RDONLY | OpenFlag.NOFOLLOW | OpenFlag.NOCTTY | OpenFlag.NONBLOCK;
/** For directories that are only gone through. */
const PASSAGE_FLAGS = OpenFlag.PATH | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;
const DIRECTORY_FLAGS = FILE_FLAGS | OpenFlag.DIRECTORY;

const LISTING_SIZE = 256 << 10;
const listing = new Uint8Array(LISTING_SIZE);
const listingView = new DataView(listing.buffer);
/** Offsets in struct linux_dirent64. */
const RECORD_LENGTH_OFFSET = 16;
const TYPE_OFFSET = 18;
const NAME_OFFSET = 19;

/** Makes a source of system calls. See {@link MakeBuildSource}. */
export function makeNativeSource(
  options: MetadataOptions,
  report: BuildReportBuilder,
): BuildSource {
  host.raiseOpenFileLimit();
  return new HostSource(new NativeMetadataReader(options, report));
}

class HostSource implements BuildSource {
  readonly uid: number = host.getEffectiveUid();
  readonly gid: number = host.getEffectiveGid();
  readonly #reader: NativeMetadataReader;

  constructor(reader: NativeMetadataReader) {
    this.#reader = reader;
  }

  openRoot(path: string, stat: host.HostStat): SourceDirectory | number {
    const found = host.statAt(host.At.FDCWD, path, stat);
    if (found < 0) return found;
    if (entryType(stat.mode) === EntryType.SYMLINK) return -Errno.ELOOP;
    return openDirectory(host.At.FDCWD, path, stat, this.#reader);
  }

  metadata(fd: number, stat: host.HostStat, path: string): PxarMetadata {
    return this.#reader.read(fd, stat, path);
  }

  read(fd: number, target: Uint8Array, offset: number): number {
    while (true) {
      const count = preadInto(fd, target as Uint8Array<ArrayBuffer>, offset);
      if (count !== -Errno.EINTR) return count;
    }
  }

  findData(fd: number, offset: number, extent: DataExtent): boolean {
    const start = host.lseek(fd, offset, host.Seek.DATA);
    if (start === -Errno.ENXIO) {
      extent.start = extent.end = Infinity;
      return true;
    }
    if (start < 0) return false;
    const end = host.lseek(fd, start, host.Seek.HOLE);
    if (end < 0) return false;
    extent.start = start;
    extent.end = end;
    return true;
  }

  closeFile(fd: number): void {
    host.close(fd);
  }
}

function openDirectory(
  parent: number,
  name: string,
  stat: host.HostStat,
  reader: NativeMetadataReader,
): SourceDirectory | number {
  const fd = openQuietlyAt(parent, name, DIRECTORY_FLAGS);
  if (fd < 0) return fd;
  const result = host.statFd(fd, stat);
  if (result >= 0) return new HostDirectory(fd, stat.device, reader);
  host.close(fd);
  return result;
}

function openFileIn(directory: number, name: string, stat: host.HostStat): number {
  const fd = openQuietlyAt(directory, name, FILE_FLAGS);
  if (fd < 0) return fd;
  const result = host.statFd(fd, stat);
  const isFile = entryType(stat.mode) === EntryType.FILE;
  if (result >= 0 && isFile) return fd;
  host.close(fd);
  return result < 0 ? result : -Errno.ENXIO;
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
    while (true) {
      const size = host.getdents(this.#fd, listing);
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

  stat(name: string, stat: host.HostStat): number {
    return host.statAt(this.#fd, name, stat);
  }

  openFile(name: string, stat: host.HostStat): number {
    return openFileIn(this.#fd, name, stat);
  }

  openFileBelow(path: string, stat: host.HostStat): number {
    const names = path.split("/");
    const name = names.pop()!;
    let directory = this.#fd;
    // One by one, so that neither a link nor the length of a path matters.
    for (const next of names) {
      const fd = host.openAt(directory, next, PASSAGE_FLAGS);
      if (directory !== this.#fd) host.close(directory);
      if (fd < 0) return fd;
      directory = fd;
    }
    const fd = openFileIn(directory, name, stat);
    if (directory !== this.#fd) host.close(directory);
    return fd;
  }

  openDirectory(name: string, stat: host.HostStat): SourceDirectory | number {
    return openDirectory(this.#fd, name, stat, this.#reader);
  }

  readLink(name: string): string | number {
    const target = host.readlinkAt(this.#fd, name);
    return typeof target === "number" ? target : decodeFileName(target);
  }

  metadata(stat: host.HostStat, path: string): PxarMetadata {
    return this.#reader.read(this.#fd, stat, path);
  }

  isPseudo(): boolean {
    return this.#reader.features(this.#fd, this.#device).isPseudo;
  }

  close(): void {
    host.close(this.#fd);
  }
}
