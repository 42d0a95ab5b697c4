/**
 * Reads single blocks all over a synthetic backup, each from another file than the one before, and
 * checks that every page is the one that was asked for.
 *
 *     deno run --allow-ffi --allow-read scripts/bench/mount/scatter_reader.ts DIRECTORY PATHS_FILE BLOCKS_PER_FILE READS
 *
 * Prints the reads per second. `PATHS_FILE` has one path a line.
 *
 * @module
 */

import { allocateNativeBuffer, close, open, OpenFlag, pread } from "#ffi/libc/calls.ts";
import { unwrap } from "#ffi/os_error.ts";
import { shuffledBlocks } from "../reader.ts";

const BLOCK_SIZE = 8192;
/**
 * Where a page of `tests/support/synthetic_catalog.ts` has its block number, and what is added to
 * it.
 */
const BLOCK_NUMBER_OFFSET = 4;
const BLOCK_NUMBER_BASE = 0x100_0000;

if (import.meta.main) {
  const [directory, pathsFile, blocksPerFile, reads] = Deno.args as [
    string,
    string,
    string,
    string,
  ];
  const paths = Deno.readTextFileSync(pathsFile).split("\n");
  const order = shuffledBlocks(paths.length);
  const buffer = allocateNativeBuffer(BLOCK_SIZE);
  const view = new DataView(buffer.bytes.buffer, buffer.bytes.byteOffset);
  const start = performance.now();
  for (let i = 0; i < Number(reads); i++) {
    const path = `${directory}/${paths[order[i % order.length]!]}`;
    const block = Math.imul(i, 2_654_435_761) >>> 0;
    const number = block % Number(blocksPerFile);
    const fd = unwrap(open(path, OpenFlag.RDONLY), "open", path);
    unwrap(
      pread(fd, buffer.address, BigInt(BLOCK_SIZE), BigInt(number * BLOCK_SIZE)),
      "pread",
      path,
    );
    close(fd);
    if (view.getUint32(BLOCK_NUMBER_OFFSET, true) !== BLOCK_NUMBER_BASE + number) {
      throw new Error(`Block ${number} of "${path}" is not what was stored`);
    }
  }
  console.log(Number(reads) / ((performance.now() - start) / 1000));
}
