/**
 * The chunks of a datastore: one file each, named by digest.
 *
 * @module
 */

import { syncDirectory } from "#src/io/files/whole_file.ts";
import { EntryType, entryType } from "#src/bytes/file_type.ts";
import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { type NativeBuffer, plainBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import * as host from "#ffi/libc/calls.ts";
import * as named from "#ffi/libc/named.ts";
import { BadChunks } from "./bad_chunk.ts";
import { chunkDirectory, ChunkNames } from "./chunk_names.ts";
import type { FileOwner, SyncLevel } from "./directory_options.ts";
import { BLOB_DATA_SIZE_MAX, ENCRYPTED_BLOB_HEADER_SIZE } from "../../format/blob.ts";
import type { ChunkStorage } from "../storage.ts";
import { FILE_MODE, neededOwner, processUmask } from "./store_files.ts";

/** Permissions of `.chunks` and of the directories in it. */
export const CHUNK_DIRECTORY_MODE = 0o750;
/** Name of the directory of chunks in a datastore. */
export const CHUNKS_DIRECTORY = ".chunks";

const CHUNK_FILE_SIZE_MAX = BLOB_DATA_SIZE_MAX + ENCRYPTED_BLOB_HEADER_SIZE;
/**
 * The buffer grows in such steps, so that chunks of about the same size do not make it grow each
 * time.
 */
const BUFFER_STEP = 1 << 20;

/** Without waiting for the other end of a FIFO, which has no place there. */
const READ_FLAGS = host.OpenFlag.RDONLY | host.OpenFlag.NOFOLLOW | host.OpenFlag.NONBLOCK |
  host.OpenFlag.NOCTTY;

/** How chunks are written. */
export interface ChunkWriting {
  /** Owner of `.chunks`. */
  readonly owner: FileOwner;
  /** When a chunk is durable. */
  readonly syncLevel: SyncLevel;
}

/** The directory `.chunks` of a datastore. */
export class DirectoryChunks implements ChunkStorage {
  /** The directory's own path. */
  readonly path: string;
  /** -1 without FFI. */
  readonly #directory: number;
  readonly #names = new ChunkNames();
  readonly #stat = new host.HostStat();
  readonly #owner: FileOwner | undefined;
  readonly #umask: number;
  readonly #isEachSynced: boolean;
  readonly quarantine: BadChunks | undefined;
  #buffer: NativeBuffer;
  #isNoReplaceKnown = true;

  private constructor(path: string, directory: number, writing: ChunkWriting | undefined) {
    this.path = path;
    this.#directory = directory;
    this.#owner = writing && neededOwner(writing.owner);
    this.#umask = writing === undefined ? 0 : processUmask();
    this.#isEachSynced = writing?.syncLevel === "file";
    this.quarantine = directory < 0 ? undefined : new BadChunks((digest) => this.pathOf(digest));
    this.#buffer = this.#allocate(0);
  }

  /**
   * Opens the chunks of the datastore at `storePath`. Without FFI they can only be read.
   *
   * @param writing how chunks are written; left out for reading only
   * @throws {OsError}
   */
  static open(storePath: string, writing?: ChunkWriting): DirectoryChunks {
    const path = `${storePath}/${CHUNKS_DIRECTORY}`;
    if (!mayUseFfi) return new DirectoryChunks(path, -1, undefined);
    const { RDONLY, DIRECTORY } = host.OpenFlag;
    const directory = host.unwrap(host.open(path, RDONLY | DIRECTORY), "open", path);
    return new DirectoryChunks(path, directory, writing);
  }

  /** Path of a chunk's file. */
  pathOf(digest: ChunkDigest): string {
    return `${this.path}/${chunkDirectory(digest)}/${digest}`;
  }

  /**
   * Bytes of a chunk's file; -1 when there is no such chunk. Nothing is touched. @throws {OsError}
   */
  storedSize(digest: ChunkDigest): number {
    if (this.#directory < 0) return this.#plainSize(digest);
    this.#names.set(digest);
    const size = named.sizeNamed(this.#directory, this.#names.final);
    if (isMissing(size)) return -1;
    return size < 0 ? this.#fail(size, "stat", digest) : size;
  }

  /**
   * Sets the time of a chunk's last access to now, so that garbage collection spares it.
   *
   * @returns bytes of the file, -1 when there is no such chunk
   * @throws {OsError}
   */
  touch(digest: ChunkDigest): number {
    this.#names.set(digest);
    const result = named.touchNamed(this.#directory, this.#names.final);
    if (result < 0) return isMissing(result) ? -1 : this.#fail(result, "touch", digest);
    const size = named.sizeNamed(this.#directory, this.#names.final);
    if (isMissing(size)) return -1;
    return size < 0 ? this.#fail(size, "stat", digest) : size;
  }

  /** Writes a chunk whether it is there or not; nobody sees a part of it. @throws {OsError} */
  write(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void {
    this.#writeTemporary(digest, encoded, start, size);
    this.#rename(digest, 0);
  }

  /**
   * Writes a chunk that is not there, which is found out last.
   *
   * @returns false when it is there already: nothing was done then
   * @throws {OsError}
   */
  add(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): boolean {
    this.#writeTemporary(digest, encoded, start, size);
    return this.#rename(digest, this.#isNoReplaceKnown ? host.RenameFlag.NOREPLACE : 0);
  }

  /**
   * Reads a chunk's file into {@link buffer}, which holds it until the next call.
   *
   * @returns the size, -1 when there is no such chunk
   * @throws {FormatError} when the file is larger than a chunk can be
   * @throws {OsError}
   */
  read(digest: ChunkDigest): number {
    return this.#directory < 0 ? this.#readPlain(digest) : this.#readNative(digest);
  }

  placeOf(digest: ChunkDigest): number {
    if (this.#directory < 0) return 0;
    this.#names.set(digest);
    return Math.max(named.inodeNamed(this.#directory, this.#names.final), 0);
  }

  /** Says that a chunk will be read soon: the system can fetch it meanwhile. */
  expect(digest: ChunkDigest): void {
    if (this.#directory < 0) return;
    this.#names.set(digest);
    const fd = named.openNamed(this.#directory, this.#names.final, READ_FLAGS);
    // Whoever reads it finds out what is wrong with it.
    if (fd < 0) return;
    named.adviseWanted(fd);
    host.close(fd);
  }

  /** What {@link read} filled. */
  get buffer(): NativeBuffer {
    return this.#buffer;
  }

  /** Closes the directory; nothing may be read afterwards. */
  close(): void {
    if (this.#directory >= 0) host.close(this.#directory);
  }

  #writeTemporary(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void {
    this.#names.set(digest);
    const fd = this.#createTemporary(digest);
    const failure = this.#fill(fd, encoded.address + BigInt(start), size);
    const closed = host.close(fd);
    const result = failure < 0 ? failure : closed;
    if (result === 0) return;
    named.unlinkNamed(this.#directory, this.#names.temporary);
    this.#fail(result, "write", digest);
  }

  /** Gives the temporary file its name. @returns false when the flags forbid it */
  #rename(digest: ChunkDigest, flags: number): boolean {
    const { temporary, final } = this.#names;
    const result = named.renameNamed(this.#directory, temporary, final, flags);
    if (result === -host.Errno.EINVAL && flags !== 0) {
      // The file system does not know the flag.
      this.#isNoReplaceKnown = false;
      return this.#rename(digest, 0);
    }
    if (result < 0) {
      named.unlinkNamed(this.#directory, temporary);
      if (result === -host.Errno.EEXIST) return false;
      this.#fail(result, "rename", digest);
    }
    if (this.#isEachSynced) syncDirectory(`${this.path}/${chunkDirectory(digest)}`);
    return true;
  }

  #createTemporary(digest: ChunkDigest): number {
    const { WRONLY, CREAT, EXCL, NOFOLLOW } = host.OpenFlag;
    const flags = WRONLY | CREAT | EXCL | NOFOLLOW;
    while (true) {
      this.#names.renew();
      const fd = named.openNamed(this.#directory, this.#names.temporary, flags, FILE_MODE);
      if (fd >= 0) return fd;
      // Stores may have been copied without the directories that are empty.
      if (fd === -host.Errno.ENOENT) this.#createDirectory(digest);
      else if (fd !== -host.Errno.EEXIST) this.#fail(fd, "create", digest);
    }
  }

  #createDirectory(digest: ChunkDigest): void {
    const { directory } = this.#names;
    const made = named.mkdirNamed(this.#directory, directory, CHUNK_DIRECTORY_MODE);
    if (made < 0) {
      if (made !== -host.Errno.EEXIST) this.#fail(made, "create directory of", digest);
      return;
    }
    if ((this.#umask & CHUNK_DIRECTORY_MODE) !== 0) {
      named.chmodNamed(this.#directory, directory, CHUNK_DIRECTORY_MODE);
    }
    if (this.#owner === undefined) return;
    const { uid, gid } = this.#owner;
    const given = named.chownNamed(this.#directory, directory, uid, gid);
    if (given < 0) this.#fail(given, "chown directory of", digest);
  }

  /** @returns 0, or a negative errno */
  #fill(fd: number, address: bigint, size: number): number {
    let done = host.write(fd, address, BigInt(size));
    while (done < size) {
      // A full disk first shows as a short write.
      const count = done < 0 ? done : host.write(fd, address + BigInt(done), BigInt(size - done));
      if (count === -host.Errno.EINTR) done = Math.max(done, 0);
      else if (count < 0) return count;
      else done += count;
    }
    if ((this.#umask & FILE_MODE) !== 0) {
      const result = host.fchmod(fd, FILE_MODE);
      if (result < 0) return result;
    }
    if (this.#owner !== undefined) {
      const result = host.chownAt(fd, "", this.#owner.uid, this.#owner.gid);
      if (result < 0) return result;
    }
    return this.#isEachSynced ? host.fsync(fd) : 0;
  }

  #readNative(digest: ChunkDigest): number {
    this.#names.set(digest);
    const fd = named.openNamed(this.#directory, this.#names.final, READ_FLAGS);
    if (fd === -host.Errno.ELOOP) throw this.#notRegular(digest);
    if (fd < 0) return isMissing(fd) ? -1 : this.#fail(fd, "open", digest);
    try {
      const result = host.statFd(fd, this.#stat);
      if (result < 0) this.#fail(result, "stat", digest);
      if (entryType(this.#stat.mode) !== EntryType.FILE) throw this.#notRegular(digest);
      const { size } = this.#stat;
      this.#reserve(size, digest);
      const count = host.preadFully(fd, this.#buffer.address, size, 0);
      return count < 0 ? this.#fail(count, "read", digest) : count;
    } finally {
      host.close(fd);
    }
  }

  #plainSize(digest: ChunkDigest): number {
    try {
      const { isFile, size } = Deno.lstatSync(this.pathOf(digest));
      return isFile ? size : 0;
    } catch (error) {
      if (error instanceof Deno.errors.NotFound) return -1;
      throw error;
    }
  }

  #readPlain(digest: ChunkDigest): number {
    const size = this.#plainSize(digest);
    if (size < 0) return -1;
    // Opening a FIFO would wait for ever.
    if (size === 0) return 0;
    this.#reserve(size, digest);
    using file = Deno.openSync(this.pathOf(digest));
    let done = 0;
    while (done < size) {
      const count = file.readSync(this.#buffer.bytes.subarray(done, size));
      if (count === null) break;
      done += count;
    }
    return done;
  }

  #reserve(size: number, digest: ChunkDigest): void {
    if (size <= this.#buffer.bytes.length) return;
    if (size > CHUNK_FILE_SIZE_MAX) {
      throw new FormatError(`Cannot read chunk: ${size} bytes are more than a chunk can have`, {
        path: this.pathOf(digest),
      });
    }
    this.#buffer = this.#allocate(Math.ceil(size / BUFFER_STEP) * BUFFER_STEP);
  }

  #allocate(size: number): NativeBuffer {
    return this.#directory < 0 ? plainBuffer(size) : host.allocateNativeBuffer(size);
  }

  #notRegular(digest: ChunkDigest): FormatError {
    return new FormatError("Cannot read chunk: it is not a regular file", {
      path: this.pathOf(digest),
    });
  }

  #fail(errno: number, call: string, digest: ChunkDigest): never {
    throw new host.OsError(-errno, call, this.pathOf(digest));
  }
}

function isMissing(result: number): boolean {
  return result === -host.Errno.ENOENT || result === -host.Errno.ENOTDIR;
}
