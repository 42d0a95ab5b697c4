/**
 * One client of a read benchmark, a process of its own: opens a file, says `ready`, waits for a
 * line on standard input (so that several start together), reads, and prints a {@link ReaderResult}
 * as JSON.
 *
 *     deno run --allow-ffi --allow-read scripts/bench/reader.ts sequential|random INDEX COUNT FILE
 *
 * Reads by pread(2) into one buffer, so that the client costs the same on both sides and little.
 *
 * @module
 */

import { allocateNativeBuffer, open, OpenFlag, pread } from "#ffi/libc/calls.ts";
import { unwrap } from "#ffi/os_error.ts";

/** What one client did. */
export interface ReaderResult {
  readonly reads: number;
  readonly bytes: number;
  readonly seconds: number;
}

const BLOCK_SIZE = 8192;
const SEQUENTIAL_SIZE = 1 << 20;
const SEED = 20_240_229;

/**
 * Block numbers 0 to count - 1, shuffled the same way each time, so that a repetition reads the
 * same blocks.
 */
export function shuffledBlocks(count: number): Uint32Array {
  const blocks = Uint32Array.from({ length: count }, (_, index) => index);
  let state = SEED;
  for (let i = count - 1; i > 0; i--) {
    state = (Math.imul(state, 1_664_525) + 1_013_904_223) >>> 0;
    const j = Math.floor(state / 2 ** 32 * (i + 1));
    [blocks[i], blocks[j]] = [blocks[j]!, blocks[i]!];
  }
  return blocks;
}

/**
 * Start and length of every read of client `index` of `count`; each byte of the file is read by one
 * client.
 */
function planReads(mode: string, size: number, index: number, count: number): Float64Array {
  if (mode === "random") {
    const blocks = shuffledBlocks(Math.floor(size / BLOCK_SIZE));
    const own = blocks.filter((_, position) => position % count === index);
    return Float64Array.from(own, (block) => block * BLOCK_SIZE);
  }
  const share = Math.ceil(size / count / SEQUENTIAL_SIZE) * SEQUENTIAL_SIZE;
  const length = Math.max(0, Math.min(share, size - share * index));
  return Float64Array.from(
    { length: Math.ceil(length / SEQUENTIAL_SIZE) },
    (_, position) => share * index + position * SEQUENTIAL_SIZE,
  );
}

if (import.meta.main) {
  const [mode, index, count, path] = Deno.args as [string, string, string, string];
  const size = Deno.statSync(path).size;
  const offsets = planReads(mode, size, Number(index), Number(count));
  const readSize = mode === "random" ? BLOCK_SIZE : SEQUENTIAL_SIZE;
  const buffer = allocateNativeBuffer(readSize);
  const fd = unwrap(open(path, OpenFlag.RDONLY), "open", path);
  console.log("ready");
  Deno.stdin.readSync(new Uint8Array(16));

  let bytes = 0;
  const start = performance.now();
  for (let i = 0; i < offsets.length; i++) {
    bytes += unwrap(
      pread(fd, buffer.address, BigInt(readSize), BigInt(offsets[i]!)),
      "pread",
      path,
    );
  }
  const seconds = (performance.now() - start) / 1000;
  const result: ReaderResult = { reads: offsets.length, bytes, seconds };
  console.log(JSON.stringify(result));
}
