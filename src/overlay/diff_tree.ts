/**
 * Before and after a mount: preparing the diff's tree, and making everything in it durable.
 *
 * Both run in one thread while nothing is mounted.
 *
 * @module
 */

import { EntryType } from "#src/bytes/file_type.ts";
import { crc32c } from "#src/bytes/crc32c.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import * as host from "#ffi/libc/calls.ts";
import { openQuietlyAt } from "#ffi/libc/metadata.ts";
import { FormatError, OsError } from "#src/errors.ts";
import { FileType, type MountableTree } from "#src/tree/node.ts";
import { writeDurableMap } from "./block_map.ts";
import { finishCollapsing } from "./collapsing.ts";
import { readBootId } from "./context.ts";
import { copyNodeXattrs } from "./copy_maker.ts";
import { discardLostCopies, isMarkedCopy, settleCopy, withdrawCopies } from "./copy_mark.ts";
import { emptyTemporaryDirectory } from "./diff_directory.ts";
import { CONTROL_DIRECTORY_NAME } from "./diff_place.ts";
import { MARKER_NAME } from "./directory_marker.ts";
import { copyXattrs, removeAcls, setOwnerAndMode, setTimes } from "./host_attributes.ts";
import { readHostDirectory, removeHostTree } from "./host_directory.ts";
import { volatileName } from "./found.ts";
import { LINKS_DIRECTORY_NAME } from "./linked_files.ts";
import { decodePartialHeader, HEADER_SIZE_MAX, isPartialFile } from "./partial_file.ts";
import { isWhiteout } from "./whiteout.ts";

const { Errno, OpenFlag } = host;
const DIRECTORY_FLAGS = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NOFOLLOW;

/** What {@link prepareDiffTree} needs. */
export interface DiffTreeOptions {
  /** Directory of the diff, locked by the caller. */
  readonly diffPath: string;
  /** The tree below, for what the diff only refers to. */
  readonly lower: MountableTree;
  /** The diff's nonce, 16 bytes. */
  readonly nonce: Uint8Array;
  /** Directories below the root whose changes are kept only while mounted. */
  readonly volatileDirectories: readonly string[];
}

/**
 * Prepares a bound, locked diff directory for its overlay: empties `tmp/`, finishes what was being
 * unwrapped, gives the root of a new tree the owner, mode and times of the lower root, and makes
 * what stands for volatile directories.
 *
 * @throws {FormatError} when the nonce is not the one the tree was made with: its changed files
 *   would not be known
 * @throws {OsError}
 */
export function prepareDiffTree(options: DiffTreeOptions): void {
  const { diffPath } = options;
  host.setUmask(0);
  const tmpFd = host.unwrap(host.open(`${diffPath}/tmp`, DIRECTORY_FLAGS), "open", "tmp");
  const dataFd = host.unwrap(host.open(`${diffPath}/data`, DIRECTORY_FLAGS), "open", "data");
  try {
    for (const entry of readHostDirectory(tmpFd)) removeHostTree(tmpFd, entry.name);
    removeAcls(tmpFd);
    makeLinksDirectory(diffPath);
    const marker = readRootMarker(dataFd);
    finishCollapsing(diffPath);
    discardLostCopies(diffPath, dataFd, readBootId());
    if (marker === undefined) prepareRoot(dataFd, tmpFd, options);
    else if (marker !== formatRootMarker(options.nonce)) {
      throw new FormatError("Cannot use diff directory: its binding belongs to another tree", {
        path: `${diffPath}/data/${MARKER_NAME}`,
        offset: 0,
        hint: "Restore .pbkfs-binding.json, or choose a new diff directory",
      });
    }
    options.volatileDirectories.forEach((name, index) => {
      makeVolatile(dataFd, name, tmpFd, volatileName(index), options.lower);
    });
  } finally {
    host.close(tmpFd);
    host.close(dataFd);
  }
}

function makeLinksDirectory(diffPath: string): void {
  const path = `${diffPath}/${LINKS_DIRECTORY_NAME}`;
  const made = host.mkdirAt(host.At.FDCWD, path, 0o700);
  if (made !== -Errno.EEXIST) host.unwrap(made, "make directory", path);
}

/** What the root's marker says: not the nonce itself, but enough to know it again. */
function formatRootMarker(nonce: Uint8Array): string {
  return `root ${crc32c(nonce).toString(16).padStart(8, "0")}\n`;
}

function readRootMarker(dataFd: number): string | undefined {
  const fd = host.openAt(dataFd, MARKER_NAME, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
  if (fd === -Errno.ENOENT) return undefined;
  host.unwrap(fd, "open", MARKER_NAME);
  const buffer = host.allocateNativeBuffer(64);
  const length = host.preadFully(fd, buffer.address, buffer.bytes.length, 0);
  host.close(fd);
  host.unwrap(length, "read", MARKER_NAME);
  return decodeFileName(buffer.bytes.subarray(0, length));
}

/** The root's marker comes last: it says that the root is complete. */
function prepareRoot(dataFd: number, tmpFd: number, { lower, nonce }: DiffTreeOptions): void {
  removeAcls(dataFd);
  setOwnerAndMode(dataFd, lower.root.attributes);
  host.unwrap(copyNodeXattrs(lower.root, dataFd), "set extended attributes", "data");
  const fd = host.openAt(tmpFd, "root", OpenFlag.WRONLY | OpenFlag.CREAT, 0o600);
  host.unwrap(fd, "create", "tmp/root");
  const content = host.nativeBufferOf(new TextEncoder().encode(formatRootMarker(nonce)));
  const written = host.pwriteFully(fd, content.address, content.bytes.length, 0);
  const synced = host.fdatasync(fd);
  host.close(fd);
  if (written !== content.bytes.length) {
    throw new OsError(written < 0 ? -written : Errno.ENOSPC, "write", "tmp/root");
  }
  host.unwrap(synced, "sync", "tmp/root");
  host.unwrap(host.renameAt(tmpFd, "root", dataFd, MARKER_NAME), "rename", MARKER_NAME);
  const { seconds, nanoseconds } = lower.root.attributes.mtime;
  host.utimensAt(dataFd, "", seconds, nanoseconds, seconds, nanoseconds);
  host.unwrap(host.fsync(dataFd), "sync", "data");
}

/** Makes the directory whose changes go with the mount, starting from what the diff has of it. */
function makeVolatile(
  dataFd: number,
  name: string,
  tmpFd: number,
  copyName: string,
  lower: MountableTree,
): void {
  const origin = host.openAt(dataFd, name, DIRECTORY_FLAGS);
  if (origin >= 0) {
    host.close(origin);
    copyHostTree(dataFd, name, tmpFd, copyName);
    return;
  }
  const attributes = lower.root.lookup(name)?.attributes;
  if (attributes === undefined) return;
  host.unwrap(host.mkdirAt(tmpFd, copyName, 0o700), "mkdir", copyName);
  const fd = host.unwrap(host.openAt(tmpFd, copyName, DIRECTORY_FLAGS), "open", copyName);
  try {
    setOwnerAndMode(fd, attributes);
    const { seconds, nanoseconds } = attributes.mtime;
    host.utimensAt(fd, "", seconds, nanoseconds, seconds, nanoseconds);
  } finally {
    host.close(fd);
  }
}

/** Copies files, directories and whiteouts of the host with their owners, modes and times. */
function copyHostTree(fromFd: number, name: string, toFd: number, newName: string): void {
  const stat = new host.HostStat();
  host.unwrap(host.statAt(fromFd, name, stat), "stat", name);
  const type = stat.mode & FileType.MASK;
  const { uid, gid, mode } = stat;
  if (type === FileType.DIRECTORY) {
    host.unwrap(host.mkdirAt(toFd, newName, 0o700), "mkdir", name);
    const from = host.unwrap(host.openAt(fromFd, name, DIRECTORY_FLAGS), "open", name);
    const to = host.unwrap(host.openAt(toFd, newName, DIRECTORY_FLAGS), "open", newName);
    for (const entry of readHostDirectory(from)) copyHostTree(from, entry.name, to, entry.name);
    setOwnerAndMode(to, { uid, gid, mode });
    copyXattrs(from, to);
    setTimes(to, stat);
    host.close(from);
    host.close(to);
  } else if (type === FileType.FILE) {
    const from = openQuietlyAt(fromFd, name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
    host.unwrap(from, "open", name);
    const flags = OpenFlag.WRONLY | OpenFlag.CREAT | OpenFlag.EXCL;
    const to = host.unwrap(host.openAt(toFd, newName, flags, 0o600), "create", newName);
    let done = 0;
    while (done < stat.size) {
      const count = host.copyFileRange(from, done, to, done, stat.size - done);
      if (host.unwrap(count, "copy", name) === 0) break;
      done += count;
    }
    setOwnerAndMode(to, { uid, gid, mode });
    copyXattrs(from, to);
    setTimes(to, stat);
    host.close(from);
    host.close(to);
  } else if (isWhiteout(stat)) {
    host.unwrap(host.mknodAt(toFd, newName, mode, 0), "mknod", name);
  }
}

/**
 * Makes everything in a diff directory durable that was acknowledged: data first, then the block
 * maps that lead to them. Needed after each mount, since after a reboot only what is durable
 * counts. What stood for volatile directories goes first: it is not worth the disk's time.
 *
 * @param changedSince Unix seconds of the mount: where nothing has changed since, others' changes
 *   on that disk are not waited for
 * @returns how many files had bytes that were not yet durable
 * @throws {OsError}
 */
export function settleDiffTree(diffPath: string, nonce: Uint8Array, changedSince = 0): number {
  emptyTemporaryDirectory(diffPath);
  const dataFd = host.unwrap(host.open(`${diffPath}/data`, DIRECTORY_FLAGS), "open", "data");
  try {
    const settler = new Settler(nonce);
    settler.collect(dataFd);
    settler.collectLinked(diffPath);
    // Also where no map is to be written: new files, and names, are durable by this alone.
    if (settler.lastChange >= changedSince) host.unwrap(host.syncfs(dataFd), "sync", diffPath);
    settler.settleCopies();
    if (settler.files.length > 0) {
      settler.writeMaps();
      host.unwrap(host.syncfs(dataFd), "sync", diffPath);
    }
    withdrawCopies(diffPath);
    return settler.files.length + settler.copies.length;
  } finally {
    host.close(dataFd);
  }
}

interface UnsettledFile {
  readonly path: readonly string[];
  readonly map: host.AllocatedBuffer;
}

class Settler {
  readonly files: UnsettledFile[] = [];
  /**
   * Unix seconds of the last change of a file or directory of the mount, apart from the worker's
   * own.
   */
  lastChange = 0;
  /** Paths of whole copies that were not synced. */
  readonly copies: (readonly string[])[] = [];
  readonly #nonce: Uint8Array;
  readonly #bootId = readBootId();
  readonly #header = host.allocateNativeBuffer(HEADER_SIZE_MAX);
  readonly #stat = new host.HostStat();
  #rootFd = -1;

  constructor(nonce: Uint8Array) {
    this.#nonce = nonce;
  }

  /**
   * Finds the files below a directory that are not durable: by their durable map, or the mark of a
   * copy.
   */
  collect(fd: number, path: readonly string[] = []): void {
    if (path.length === 0) this.#rootFd = fd;
    this.#noteChange(fd);
    for (const { name, type } of readHostDirectory(fd)) {
      if (path.length === 0 && name === CONTROL_DIRECTORY_NAME) continue;
      const isDirectory = type === EntryType.DIRECTORY;
      const isFile = type === EntryType.FILE;
      if (!isDirectory && !isFile && type !== EntryType.UNKNOWN) continue;
      const flags = isDirectory ? DIRECTORY_FLAGS : OpenFlag.RDONLY | OpenFlag.NOFOLLOW;
      const child = openQuietlyAt(fd, name, flags);
      if (child < 0) continue;
      try {
        if (isDirectory) this.collect(child, [...path, name]);
        else this.#inspect(child, [...path, name]);
      } finally {
        host.close(child);
      }
    }
  }

  /** Finds files of which no name may have been looked up yet (`linked_files.ts`). */
  collectLinked(diffPath: string): void {
    const fd = host.open(`${diffPath}/${LINKS_DIRECTORY_NAME}`, DIRECTORY_FLAGS);
    // A diff of before.
    if (fd === -Errno.ENOENT) return;
    host.unwrap(fd, "open", LINKS_DIRECTORY_NAME);
    try {
      this.collect(fd, ["..", LINKS_DIRECTORY_NAME]);
    } finally {
      host.close(fd);
    }
  }

  #noteChange(fd: number): void {
    if (host.statFd(fd, this.#stat) < 0) return;
    this.lastChange = Math.max(this.lastChange, this.#stat.ctimeSeconds);
  }

  #inspect(fd: number, path: readonly string[]): void {
    this.#noteChange(fd);
    const { bytes, address } = this.#header;
    const length = host.preadFully(fd, address, HEADER_SIZE_MAX, 0);
    if (length < 0) return;
    if (!isPartialFile(bytes, length, this.#nonce)) {
      if (isMarkedCopy(fd)) this.copies.push(path);
      return;
    }
    host.unwrap(host.statFd(fd, this.#stat), "stat", path.join("/"));
    const header = this.#decode(length, path.join("/"));
    if (header === undefined) return;
    if (header.bootId.some((byte, index) => byte !== this.#bootId[index])) return;
    const { mapSize, workingMapOffset, durableMapOffset } = header.layout;
    const map = host.allocateNativeBuffer(mapSize);
    const durable = host.allocateNativeBuffer(mapSize);
    host.preadFully(fd, map.address, mapSize, workingMapOffset);
    host.preadFully(fd, durable.address, mapSize, durableMapOffset);
    if (map.bytes.some((byte, index) => byte !== durable.bytes[index])) {
      this.files.push({ path, map });
    }
  }

  /** A damaged file is skipped: reading it fails later, and the other files are still settled. */
  #decode(length: number, name: string): ReturnType<typeof decodePartialHeader> | undefined {
    try {
      return decodePartialHeader(this.#header.bytes, length, this.#stat.size, name);
    } catch (error) {
      if (error instanceof FormatError) return undefined;
      throw error;
    }
  }

  /** Removes the marks of whole copies, once their content is synced. */
  settleCopies(): void {
    for (const path of this.copies) {
      const name = path.join("/");
      const fd = host.openAt(this.#rootFd, name, OpenFlag.RDONLY | OpenFlag.NOFOLLOW);
      host.unwrap(fd, "open", name);
      const settled = settleCopy(fd);
      host.close(fd);
      host.unwrap(settled, "sync", name);
    }
  }

  /** Makes the maps as they were when the files were found the durable ones. */
  writeMaps(): void {
    for (const { path, map } of this.files) {
      const name = path.join("/");
      const fd = openQuietlyAt(this.#rootFd, name, OpenFlag.RDWR | OpenFlag.NOFOLLOW);
      host.unwrap(fd, "open", name);
      try {
        const length = host.preadFully(fd, this.#header.address, HEADER_SIZE_MAX, 0);
        host.unwrap(host.statFd(fd, this.#stat), "stat", name);
        const header = decodePartialHeader(this.#header.bytes, length, this.#stat.size, name);
        host.unwrap(writeDurableMap(fd, header.layout, map, this.#stat), "write", name);
      } finally {
        host.close(fd);
      }
    }
  }
}
