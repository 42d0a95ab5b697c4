/**
 * Chunks of servers on the local disk: what was read once need not come over the network again, by
 * whichever process and after whatever time.
 *
 * They are kept as a datastore keeps them, whole or not at all, and the time of the last access
 * says which were used last. Nobody counts what others write: a process that has written a
 * sixteenth of the budget looks at everything and removes what was used longest ago. What is read
 * is decoded by who asks, which proves it; what turns out to be something else is forgotten.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import * as host from "#ffi/libc/calls.ts";
import { Failure } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { BLOB_HEADER_SIZE } from "../format/blob.ts";
import { CHUNKS_DIRECTORY, DirectoryChunks } from "../storage/directory/directory_chunks.ts";

/** Where the cache is, as plain values. */
export interface ChunkDiskCacheAddress {
  /** A directory of its own, absolute. */
  readonly path: string;
  /** Bytes that it may take. */
  readonly budgetBytes: number;
}

/** Others may not read what may be secret. */
const DIRECTORY_MODE = 0o700;
/** Of the budget, between two looks at everything. */
const WRITTEN_SHARE = 16;
/** Of the budget, that a look leaves. */
const KEPT_SHARE = 7 / 8;
/** What somebody was killed with has not been written to for so long. */
const TEMPORARY_AGE_SECONDS = 3600;

/** One thread's view of the cache. Whatever is wrong with the disk: then there is no cache. */
export class ChunkDiskCache {
  readonly #chunks: DirectoryChunks;
  readonly #budgetBytes: number;
  #writtenBytes = 0;

  private constructor(chunks: DirectoryChunks, budgetBytes: number) {
    this.#chunks = chunks;
    this.#budgetBytes = budgetBytes;
  }

  /**
   * Opens the cache, and makes its directory where there is none.
   *
   * @throws {OsError} when that cannot be done
   */
  static open({ path, budgetBytes }: ChunkDiskCacheAddress): ChunkDiskCache {
    for (const directory of [path, `${path}/${CHUNKS_DIRECTORY}`]) {
      const made = host.mkdir(directory, DIRECTORY_MODE);
      if (made !== -host.Errno.EEXIST) host.unwrap(made, "make directory", directory);
    }
    const owner = { uid: host.getEffectiveUid(), gid: host.getEffectiveGid() };
    return new ChunkDiskCache(
      DirectoryChunks.open(path, { owner, syncLevel: "none" }),
      budgetBytes,
    );
  }

  /** What {@link read} filled. */
  get buffer(): NativeBuffer {
    return this.#chunks.buffer;
  }

  /** Reads a chunk into {@link buffer}. @returns its size, -1 when there is none */
  read(digest: ChunkDigest): number {
    try {
      const size = this.#chunks.read(digest);
      if (size < BLOB_HEADER_SIZE) return -1;
      this.#chunks.touch(digest);
      return size;
    } catch (error) {
      return unlessBroken(error);
    }
  }

  /** Whether there is a chunk. */
  has(digest: ChunkDigest): boolean {
    try {
      return this.#chunks.storedSize(digest) >= BLOB_HEADER_SIZE;
    } catch (error) {
      return unlessBroken(error) >= 0;
    }
  }

  /** Keeps a chunk. */
  write(digest: ChunkDigest, encoded: NativeBuffer, size: number): void {
    try {
      if (this.#writtenBytes === 0) this.#makeRoom();
      this.#chunks.write(digest, encoded, 0, size);
      this.#writtenBytes += size;
      if (this.#writtenBytes > this.#budgetBytes / WRITTEN_SHARE) this.#makeRoom();
    } catch (error) {
      unlessBroken(error);
    }
  }

  /** Removes a chunk that is not what it should be. */
  forget(digest: ChunkDigest): void {
    host.unlink(this.#chunks.pathOf(digest));
  }

  close(): void {
    this.#chunks.close();
  }

  /** Removes what was used longest ago. */
  #makeRoom(): void {
    this.#writtenBytes = 1;
    const files = this.#files();
    let size = files.reduce((sum, file) => sum + file.size, 0);
    if (size <= this.#budgetBytes) return;
    for (const file of files.toSorted((a, b) => a.usedSeconds - b.usedSeconds)) {
      if (size <= this.#budgetBytes * KEPT_SHARE) break;
      host.unlink(file.path);
      size -= file.size;
    }
  }

  #files(): CachedFile[] {
    const stat = new host.HostStat();
    const now = Date.now() / 1000;
    const { path } = this.#chunks;
    return hostFiles.entries(path).flatMap(({ name: directory }) =>
      hostFiles.entries(`${path}/${directory}`).flatMap(({ name }): CachedFile[] => {
        const file = `${path}/${directory}/${name}`;
        if (host.lstat(file, stat) < 0) return [];
        const isTemporary = name.includes(".");
        if (isTemporary && now - stat.mtimeSeconds > TEMPORARY_AGE_SECONDS) host.unlink(file);
        const usedSeconds = stat.atimeSeconds + stat.atimeNanoseconds / 1e9;
        return isTemporary ? [] : [{ path: file, size: stat.size, usedSeconds }];
      })
    );
  }
}

interface CachedFile {
  readonly path: string;
  readonly size: number;
  readonly usedSeconds: number;
}

/** A full or broken disk makes reading slower, nothing else. */
function unlessBroken(error: unknown): -1 {
  if (error instanceof Failure) return -1;
  throw error;
}
