/**
 * What is below snapshots: a place that keeps objects. A local directory implements it, and a
 * server or an object store can.
 *
 * Everything is synchronous. What is thrown says which object it is about.
 * `tests/pbs/storage/storage_conformance.ts` says what every storage must do.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { Description } from "#src/threads/openers.ts";
import type { GarbageSupport } from "./garbage_support.ts";
import type { StorageLocks, WriterLock } from "./locks.ts";

/**
 * Plain values that name a storage: can be posted to a worker, where {@link openStorage} opens it.
 */
export type StorageDescription = Description;

/** An open storage, for one thread. */
export interface Storage {
  /** What {@link openStorage} opens the same storage by, in any thread. */
  readonly description: StorageDescription;
  /** Encoded chunks, each a whole blob. @throws {OsError} when they may not be read */
  readonly chunks: ChunkStorage;
  /** Everything but chunks, by path from the root: indexes, blobs, owners, notes. */
  readonly files: FileStorage;
  /** Undefined where nothing keeps processes from what others use: then there is no writing. */
  readonly locks: StorageLocks | undefined;
  /** Undefined where {@link locks} is. */
  readonly writerLock: WriterLock | undefined;
  /**
   * Undefined where nothing tells when chunks were used last: then all of them stay. @throws
   * {OsError}
   */
  readonly garbage: GarbageSupport | undefined;
  /** Undefined where that cannot be known. @throws {OsError} */
  space(): StorageSpace | undefined;
  /**
   * Ends what threads wait for that have opened it, where that can last: what they read fails from
   * now on.
   */
  endWaits?(): void;
  /** Frees what this thread has open; the storage itself goes on. */
  close(): void;
}

/** Space of what a storage is kept in. */
export interface StorageSpace {
  /** Size of the file system, or what is allowed to be used. */
  readonly totalBytes: number;
  /** Bytes in use, by whatever it is. */
  readonly usedBytes: number;
  /** Bytes that can still be written. */
  readonly availableBytes: number;
}

/**
 * Encoded chunks by digest. One that is being written is seen whole or not at all, whatever happens
 * to who writes it; what was written is read by all threads and processes from then on.
 */
export interface ChunkStorage {
  /** What a chunk is called in messages, such as the path of its file. */
  pathOf(digest: ChunkDigest): string;
  /** Bytes of a chunk; -1 when there is none. That does not count as a use. @throws {OsError} */
  storedSize(digest: ChunkDigest): number;
  /**
   * Notes that a chunk is used now, so that garbage collection spares it.
   *
   * @returns bytes of the chunk, -1 when there is none
   * @throws {OsError}
   */
  touch(digest: ChunkDigest): number;
  /**
   * Reads a chunk into {@link buffer}, which holds it until the next call.
   *
   * @returns the size, -1 when there is none
   * @throws {FormatError} when there are more bytes than a chunk can have, or something that is no
   *   chunk has its name
   * @throws {OsError}
   */
  read(digest: ChunkDigest): number;
  /** What {@link read} filled. */
  readonly buffer: NativeBuffer;
  /**
   * Forgets the copy that {@link read} gave last, because it is not the chunk. Absent where chunks
   * are never copies.
   *
   * @returns whether it was a copy: the next {@link read} gives the chunk itself
   */
  forgetCopy?(digest: ChunkDigest): boolean;
  /** Says that a chunk will be read soon; there need not be one. */
  expect(digest: ChunkDigest): void;
  /** Writes a chunk whether it is there or not. @throws {OsError} */
  write(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): void;
  /**
   * Writes a chunk unless it is there, which is found out last.
   *
   * @returns whether it is new; otherwise nothing was done
   * @throws {OsError}
   */
  add(digest: ChunkDigest, encoded: NativeBuffer, start: number, size: number): boolean;
  /**
   * A number that is another one when another chunk takes this one's place. Chunks are best read in
   * the order of these numbers. 0 when there is no such chunk, or nothing is known of that.
   */
  placeOf(digest: ChunkDigest): number;
  /** Undefined where corrupt chunks cannot be told from those that others store in their place. */
  readonly quarantine: ChunkQuarantine | undefined;
}

/**
 * Keeps corrupt chunks under other names, so that the next backup with the same bytes stores them
 * anew.
 */
export interface ChunkQuarantine {
  /**
   * Gives a corrupt chunk another name.
   *
   * @param place {@link ChunkStorage.placeOf} the one that was found corrupt: if another took its
   *   place meanwhile, that one stays
   * @returns the new name; undefined when the corrupt chunk is not there any more
   * @throws {OsError}
   */
  setAside(digest: ChunkDigest, place: number): string | undefined;
  /**
   * Keeps the corrupt forms of a chunk that somebody misses from being removed. @throws {OsError}
   */
  touch(digest: ChunkDigest): void;
}

/** What a name of a {@link FileStorage} stands for. */
export interface StoredStatus {
  /** A link to a folder is a folder. */
  readonly kind: "file" | "folder" | "other";
  /** Bytes of a file. */
  readonly size: number;
}

/** An entry of a folder. */
export interface StoredEntry {
  /** Last part of its path. */
  readonly name: string;
  /** Whether it is a file, a folder, or something else. */
  readonly kind: StoredStatus["kind"];
}

/**
 * Small files by name, such as `host/a/2026-01-01T00:00:00Z/index.json.blob`: manifests, indexes,
 * notes. Names are relative, and what is before a slash is a folder.
 */
export interface FileStorage {
  /** What a file or folder is called in messages, such as its path; `""` is the storage itself. */
  pathOf(name: string): string;
  /**
   * Undefined when there is nothing of that name. @throws {OsError} when that cannot be found out
   */
  status(name: string): StoredStatus | undefined;
  /** Entries of a folder, in no order; none when there is no such folder. @throws {OsError} */
  list(folder: string): StoredEntry[];
  /**
   * The whole of a file.
   *
   * @throws {OsError} ENOENT when it is not there
   * @throws {LimitError} when it has more than `sizeMax` bytes
   */
  read(name: string, sizeMax: number): Uint8Array<ArrayBuffer>;
  /** A file of any size, opened. @throws {OsError} */
  open(name: string): ByteSource;
  /** Gives a name new content: others see the old one or all of the new one. @throws {OsError} */
  replace(name: string, bytes: Uint8Array<ArrayBuffer>): void;
  /**
   * Like {@link replace}, after everything that was written before is as durable as the storage
   * makes it. @throws {OsError}
   */
  commit(name: string, bytes: Uint8Array<ArrayBuffer>): void;
  /** Removes a file. @returns whether there was one @throws {OsError} */
  remove(name: string): boolean;
  /**
   * Makes a folder, in one that is there. @returns false when the name is taken @throws {OsError}
   */
  makeFolder(name: string): boolean;
  /** Removes an empty folder, if it is there. @throws {OsError} when something is in it */
  removeFolder(name: string): void;
  /** Removes a folder with everything in it; links are not followed. @throws {OsError} */
  removeFolderTree(name: string): void;
}
