/**
 * Whether a file system keeps the times of accesses as garbage collection needs it. Where it does
 * not, chunks in use would look like garbage.
 *
 * @module
 */

import { digestOf } from "#src/bytes/chunk_digest.ts";
import { nativeCodecs } from "#src/codecs/codecs.ts";
import { StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { sleep } from "#src/threads/waiting.ts";
import { insertChunk } from "../../chunk_insertion.ts";
import { BlobCodec } from "../../../crypt/blob_codec.ts";
import type { DirectoryChunks } from "../directory_chunks.ts";
import { isDiskFull } from "../store_files.ts";

/** The chunk of so many zeros is used: it is there already where images are backed up. */
const ZERO_CHUNK_SIZE = 4 << 20;
/** File systems may note whole seconds only. */
const WAIT_MAX_MS = 2200;
const WAIT_FIRST_MS = 10;
/** Sweeping allows for this much between the clocks of the file system and of this machine. */
const CLOCK_DIFFERENCE_MAX_SECONDS = 120;

/**
 * Touches a chunk, waits, touches it again.
 *
 * @throws {StateError} `access-times` when its access time did not grow, or is far from the present
 * @throws {OsError}
 */
export function checkAccessTimes(chunks: DirectoryChunks, nowSeconds: () => number): void {
  const path = probePath(chunks);
  touch(path);
  const before = accessTime(path);
  const difference = Math.abs(Number(before / 1_000_000_000n) - nowSeconds());
  if (difference > CLOCK_DIFFERENCE_MAX_SECONDS) {
    throw new StateError(
      "access-times",
      `Cannot collect garbage: the file system's clock differs by ${Math.round(difference)} s`,
      { hint: "Synchronise the clocks of this machine and of the file server" },
    );
  }
  let waited = 0;
  for (let pause = WAIT_FIRST_MS; waited < WAIT_MAX_MS; pause *= 2) {
    sleep(pause);
    waited += pause;
    touch(path);
    if (accessTime(path) > before) return;
  }
  throw new StateError(
    "access-times",
    "Cannot collect garbage: the file system does not keep access times",
    { hint: "Chunks in use would look unused: move the datastore to another file system" },
  );
}

/**
 * The present by the clock of the file system that chunks are in, which is that of their access
 * times. Whole seconds.
 */
export function fileSystemTime(chunks: DirectoryChunks): number {
  touch(chunks.path);
  return Number(accessTime(chunks.path) / 1_000_000_000n);
}

/** What is touched: the chunk of zeros, as a server does; on a full disk the directory. */
function probePath(chunks: DirectoryChunks): string {
  const codecs = nativeCodecs();
  const zeros = codecs.allocate(ZERO_CHUNK_SIZE);
  const digest = digestOf(codecs.sha256(zeros, 0, ZERO_CHUNK_SIZE));
  if (chunks.touch(digest) > 0) return chunks.pathOf(digest);
  const { buffer, start, size } = new BlobCodec(codecs)
    .encode(zeros, 0, ZERO_CHUNK_SIZE, { compress: true });
  try {
    insertChunk(chunks, digest, buffer, start, size);
    return chunks.pathOf(digest);
  } catch (error) {
    if (!isDiskFull(error)) throw error;
    return chunks.path;
  }
}

function touch(path: string): void {
  const { UTIME_NOW, UTIME_OMIT } = host;
  const result = host.utimens(path, 0, UTIME_NOW, 0, UTIME_OMIT);
  host.unwrap(result, "touch", path);
}

/** Nanoseconds. */
function accessTime(path: string): bigint {
  const stat = new host.HostStat();
  host.unwrap(host.lstat(path, stat), "stat", path);
  return BigInt(stat.atimeSeconds) * 1_000_000_000n + BigInt(stat.atimeNanoseconds);
}
