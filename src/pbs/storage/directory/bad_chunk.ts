/**
 * Chunks that were found corrupt: they are kept under another name, so that the next backup stores
 * them anew.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import * as host from "#ffi/libc/calls.ts";
import type { ChunkQuarantine } from "../storage.ts";

/** A chunk can be found corrupt so often before the last one is overwritten. */
const BAD_CHUNKS_MAX = 10;

const BAD_NAME = /^[0-9a-f]{64}\.[0-9]\.bad$/;

/** Whether a file of this name is a corrupt chunk. */
export function isBadChunkName(name: string): boolean {
  return BAD_NAME.test(name);
}

function badChunkPath(chunkPath: string, number: number): string {
  return `${chunkPath}.${number}.bad`;
}

/** See {@link ChunkQuarantine}. A chunk's place is its inode. */
export class BadChunks implements ChunkQuarantine {
  readonly #pathOf: (digest: ChunkDigest) => string;

  /** `pathOf` gives the path of a chunk's file by its digest. */
  constructor(pathOf: (digest: ChunkDigest) => string) {
    this.#pathOf = pathOf;
  }

  setAside(digest: ChunkDigest, place: number): string | undefined {
    return renameBadChunk(this.#pathOf(digest), place);
  }

  touch(digest: ChunkDigest): void {
    const path = this.#pathOf(digest);
    for (let number = 0; number < BAD_CHUNKS_MAX; number++) {
      const { UTIME_NOW, UTIME_OMIT } = host;
      const bad = badChunkPath(path, number);
      const result = host.utimens(bad, 0, UTIME_NOW, 0, UTIME_OMIT);
      if (result < 0 && result !== -host.Errno.ENOENT) host.unwrap(result, "touch", bad);
    }
  }
}

/**
 * Gives a corrupt chunk the first name that is free, or the last one.
 *
 * @param ino the inode that was found corrupt: if another took its place meanwhile, that one stays
 * @returns the new path; undefined when the corrupt chunk is not there any more
 * @throws {OsError}
 */
function renameBadChunk(chunkPath: string, ino: number): string | undefined {
  const stat = new host.HostStat();
  for (let number = 0; number < BAD_CHUNKS_MAX; number++) {
    const bad = badChunkPath(chunkPath, number);
    const flags = number === BAD_CHUNKS_MAX - 1 ? 0 : host.RenameFlag.NOREPLACE;
    const result = rename(chunkPath, bad, flags);
    if (result === -host.Errno.EEXIST) continue;
    if (result === -host.Errno.ENOENT) return undefined;
    host.unwrap(result, "rename", chunkPath);
    host.unwrap(host.lstat(bad, stat), "stat", bad);
    if (stat.ino === ino) return bad;
    const restored = rename(bad, chunkPath, host.RenameFlag.NOREPLACE);
    if (restored !== -host.Errno.EEXIST) host.unwrap(restored, "rename", bad);
    return undefined;
  }
  return undefined;
}

function rename(path: string, newPath: string, flags: number): number {
  return host.rename(path, newPath, flags);
}
