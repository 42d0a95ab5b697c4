/**
 * The second phase of garbage collection: chunks that were not touched for long are removed.
 *
 * @module
 */

import { EntryType, entryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { listOpenDirectory } from "#src/io/files/open_directory.ts";
import {
  emptySweepResult,
  type SweepCounters,
  type SweepOptions,
  type SweepResult,
} from "../../garbage_support.ts";
import { isBadChunkName } from "../bad_chunk.ts";

/** Directories that chunks are in, one a step. */
const CHUNK_DIRECTORY_COUNT = 65536;

const DIRECTORY_NAME = /^[0-9a-f]{4}$/;
const CHUNK_NAME = /^[0-9a-f]{64}$/;
/** Written by somebody who was killed before the name was given. */
const TEMPORARY_NAME = /^[0-9a-f]{64}\.tmp_/;

/** Goes through all chunks in the directory `chunksPath`. @throws {OsError} */
export function sweepChunks(chunksPath: string, options: SweepOptions): SweepResult {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const chunks = host.unwrap(host.open(chunksPath, RDONLY | DIRECTORY), "open", chunksPath);
  try {
    const sweep = new Sweep(chunksPath, options);
    let chunkCount = 0;
    const names = listOpenDirectory(chunks, chunksPath).map(({ name }) => name);
    for (const name of names.filter((name) => DIRECTORY_NAME.test(name)).sort()) {
      options.onStep(parseInt(name, 16), CHUNK_DIRECTORY_COUNT, chunkCount);
      chunkCount += sweep.directory(chunks, name);
    }
    options.onStep(CHUNK_DIRECTORY_COUNT, CHUNK_DIRECTORY_COUNT, chunkCount);
    return sweep.result;
  } finally {
    host.close(chunks);
  }
}

class Sweep {
  readonly result: SweepCounters = emptySweepResult();
  readonly #chunksPath: string;
  readonly #options: SweepOptions;
  readonly #stat = new host.HostStat();
  #isShared = false;

  constructor(chunksPath: string, options: SweepOptions) {
    this.#chunksPath = chunksPath;
    this.#options = options;
  }

  /** @returns the number of chunks seen */
  directory(chunks: number, name: string): number {
    const path = `${this.#chunksPath}/${name}`;
    this.#isShared = this.#options.isShared();
    const { RDONLY, DIRECTORY, NOFOLLOW } = host.OpenFlag;
    const fd = host.openAt(chunks, name, RDONLY | DIRECTORY | NOFOLLOW);
    if (fd === -host.Errno.ENOENT) return 0;
    host.unwrap(fd, "open", path);
    try {
      let count = 0;
      for (const entry of listOpenDirectory(fd, path)) {
        if (CHUNK_NAME.test(entry.name)) {
          this.#file(fd, path, entry.name, false);
          count++;
        } else if (isBadChunkName(entry.name)) {
          this.#file(fd, path, entry.name, true);
        } else if (TEMPORARY_NAME.test(entry.name)) {
          this.#temporary(fd, path, entry.name);
        }
      }
      return count;
    } finally {
      host.close(fd);
    }
  }

  #file(fd: number, path: string, name: string, isBad: boolean): void {
    const { result } = this;
    if (!this.#look(fd, path, name)) return;
    const { size, atimeSeconds } = this.#stat;
    const { cutoff, oldestWriter } = this.#options;
    if (atimeSeconds < cutoff) {
      if (this.#remove(fd, path, name)) {
        if (isBad) result.removedBad++;
        else result.removedChunks++;
        result.removedBytes += size;
        return;
      }
      if (!this.#look(fd, path, name)) return;
    }
    if (this.#stat.atimeSeconds < oldestWriter) {
      if (isBad) result.stillBad++;
      else result.pendingChunks++;
      result.pendingBytes += size;
    } else {
      if (!isBad) result.diskChunks++;
      result.diskBytes += size;
    }
  }

  /** Attributes of a file; false when it is gone or something else. */
  #look(fd: number, path: string, name: string): boolean {
    const found = host.statAt(fd, name, this.#stat);
    if (found === -host.Errno.ENOENT) return false;
    host.unwrap(found, "stat", `${path}/${name}`);
    if (entryType(this.#stat.mode) === EntryType.FILE) return true;
    this.#options.onWarning(`"${path}/${name}" is not a regular file`);
    return false;
  }

  /**
   * Removes an old chunk, unless a thread of this process begins to use it at the same time. Who
   * uses a chunk touches it first and then looks whether it is still there; so here it goes out of
   * the way first, and comes back if it was touched.
   *
   * @returns whether it is gone
   */
  #remove(fd: number, path: string, name: string): boolean {
    if (!this.#isShared) {
      unlink(fd, path, name);
      return true;
    }
    const aside = `${name.slice(0, 64)}.tmp_swept`;
    host.unwrap(host.renameAt(fd, name, fd, aside), "rename", `${path}/${name}`);
    const stat = new host.HostStat();
    host.unwrap(host.statAt(fd, aside, stat), "stat", `${path}/${aside}`);
    if (stat.atimeSeconds >= this.#options.cutoff) {
      const restored = host.renameAt(fd, aside, fd, name, host.RenameFlag.NOREPLACE);
      if (restored >= 0) return false;
      // Stored anew meanwhile.
      if (restored !== -host.Errno.EEXIST) host.unwrap(restored, "rename", `${path}/${aside}`);
    }
    unlink(fd, path, aside);
    return true;
  }

  /** A server leaves these for ever; nobody needs one for longer than it takes to write a chunk. */
  #temporary(fd: number, path: string, name: string): void {
    if (!this.#look(fd, path, name)) return;
    const { atimeSeconds, mtimeSeconds, ctimeSeconds } = this.#stat;
    const latest = Math.max(atimeSeconds, mtimeSeconds, ctimeSeconds);
    if (latest < this.#options.cutoff) unlink(fd, path, name);
  }
}

function unlink(fd: number, path: string, name: string): void {
  const result = host.unlinkAt(fd, name);
  if (result !== -host.Errno.ENOENT) host.unwrap(result, "remove", `${path}/${name}`);
}
