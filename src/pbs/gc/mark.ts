/**
 * The first phase of garbage collection: every chunk that an index names is touched.
 *
 * @module
 */

import { DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#src/io/host.ts";
import { EntryType, type ListedEntry, listOpenDirectory } from "#src/io/host_listing.ts";
import type { ChunkStore } from "../store/chunk_store.ts";
import { BAD_CHUNKS_MAX, badChunkPath } from "../store/bad_chunk.ts";
import { isIndexName, scanIndex } from "../index_scan.ts";

/** Memory for digests that were touched already, which need not be touched again. */
const TOUCHED_BUDGET = 96 << 20;
/** The one directory that need not be readable: file systems make it. */
const LOST_AND_FOUND = "lost+found";

/** What the mark phase found. */
export interface MarkResult {
  readonly indexFileCount: number;
  readonly indexDataBytes: number;
}

/** How marking goes on. */
export interface MarkOptions {
  /** Called before every index file; what it throws ends the run. */
  readonly onIndex: (done: number, total: number) => void;
  readonly onWarning: (message: string) => void;
}

/**
 * Touches all chunks that indexes of the datastore at `storePath` name.
 *
 * @throws {FormatError | IntegrityError | OsError} when an index or a directory cannot be read: then nothing may be removed
 * @throws {StateError} `not-found` when a symbolic link leads nowhere: what it led to may need chunks
 */
export function markChunks(
  storePath: string,
  chunks: ChunkStore,
  { onIndex, onWarning }: MarkOptions,
): MarkResult {
  const paths = findIndexes(storePath);
  const touched = new DigestTable(TOUCHED_BUDGET);
  let indexFileCount = 0;
  let indexDataBytes = 0;
  for (const [done, path] of paths.entries()) {
    onIndex(done, paths.length);
    try {
      const { size } = scanIndex(path, (bytes, offset) => {
        if (touched.get(bytes, offset) !== 0) return;
        touchChunk(chunks, bytes.subarray(offset, offset + DIGEST_SIZE), path, onWarning);
        touched.set(bytes, offset, 1);
      });
      indexFileCount++;
      indexDataBytes += size;
    } catch (error) {
      if (!isVanished(error, path)) throw error;
    }
  }
  onIndex(paths.length, paths.length);
  return { indexFileCount, indexDataBytes };
}

/** A snapshot may be removed while others are marked; nothing else may be missing. */
function isVanished(error: unknown, path: string): boolean {
  return error instanceof host.OsError && error.errno === host.Errno.ENOENT && error.path === path;
}

function touchChunk(
  chunks: ChunkStore,
  digestBytes: Uint8Array,
  indexPath: string,
  onWarning: (message: string) => void,
): void {
  const digest = digestOf(digestBytes);
  if (chunks.touch(digest) >= 0) return;
  onWarning(`Chunk ${digest} is missing, which "${indexPath}" needs`);
  // The corrupt forms are kept as long as somebody misses the chunk.
  const path = chunks.pathOf(digest);
  for (let number = 0; number < BAD_CHUNKS_MAX; number++) {
    const { UTIME_NOW, UTIME_OMIT } = host;
    const bad = badChunkPath(path, number);
    const result = host.utimensAt(host.At.FDCWD, bad, 0, UTIME_NOW, 0, UTIME_OMIT);
    if (result < 0 && result !== -host.Errno.ENOENT) host.unwrap(result, "touch", bad);
  }
}

/**
 * Paths of all index files, those of a group next to each other. Symbolic links to directories are followed, since snapshots are
 * listed and read through them, too.
 */
function findIndexes(storePath: string): string[] {
  const found: string[] = [];
  const walked = new Set<string>();
  const stat = new host.HostStat();
  const walk = (directory: string) => {
    for (const { name, type } of listDirectory(directory, walked)) {
      if (name.startsWith(".") || (directory === storePath && name === LOST_AND_FOUND)) continue;
      const path = `${directory}/${name}`;
      let known = type;
      if (type === EntryType.UNKNOWN || type === EntryType.SYMLINK) {
        const result = host.statAt(host.At.FDCWD, path, stat, true);
        if (result === -host.Errno.ENOENT || result === -host.Errno.ELOOP) {
          // Gone meanwhile.
          if (host.statAt(host.At.FDCWD, path, stat) < 0) continue;
          throw new StateError("not-found", `Cannot collect garbage: "${path}" leads nowhere`, {
            hint: "What it led to may need chunks. Mount it, or remove the link",
          });
        }
        host.unwrap(result, "stat", path);
        known = stat.mode >> 12;
      }
      if (known === EntryType.DIRECTORY) walk(path);
      else if (isIndexName(name)) found.push(path);
    }
  };
  walk(storePath);
  return found.sort();
}

/** Entries of a directory; none when it is gone, or in `walked` already. @throws {OsError} */
function listDirectory(path: string, walked: Set<string>): readonly ListedEntry[] {
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const fd = host.open(path, RDONLY | DIRECTORY);
  if (fd === -host.Errno.ENOENT) return [];
  host.unwrap(fd, "open", path);
  try {
    const stat = new host.HostStat();
    host.unwrap(host.statFd(fd, stat), "stat", path);
    const key = `${stat.device}:${stat.ino}`;
    if (walked.has(key)) return [];
    walked.add(key);
    return listOpenDirectory(fd, path);
  } finally {
    host.close(fd);
  }
}
