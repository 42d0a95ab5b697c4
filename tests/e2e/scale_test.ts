/**
 * A catalog of 300 GiB in 50,000 files: it mounts fast, serves any block, and the worker stays
 * small.
 *
 * @module
 */

import assert from "node:assert/strict";
import { Buffer } from "node:buffer";
import { MountPlace } from "#tests/support/pbkfs.ts";
import * as posix from "#tests/support/posix_calls.ts";
import { readAt, withFile } from "#tests/support/posix_files.ts";
import { buildSyntheticCatalog } from "#tests/support/synthetic_catalog.ts";
import { TempDirectory } from "#tests/support/temp_directory.ts";

const FILE_COUNT = 50_000;
const BLOCKS_PER_FILE = 787;
const READ_COUNT = 10_000;
/**
 * Far more than is wanted (the benchmark measures that), so that a busy machine does not fail the
 * test.
 */
const MOUNT_MS_MAX = 10_000;
const MEMORY_BYTES_MAX = 400 << 20;

/** Pseudo-random numbers below `limit`, the same in each run. */
function* numbersBelow(limit: number): Generator<number> {
  for (let state = 1n;;) {
    state = (state * 6364136223846793005n + 1442695040888963407n) & 0xffff_ffff_ffff_ffffn;
    yield Number((state >> 33n) % BigInt(limit));
  }
}

Deno.test("a catalog of 300 GiB in 50,000 files mounts and reads all over", async () => {
  using home = new TempDirectory("scale");
  const store = home.join("catalog");
  const catalog = buildSyntheticCatalog(store, {
    fileCount: FILE_COUNT,
    blocksPerFile: BLOCKS_PER_FILE,
  });
  const { instance, backupId } = catalog;
  await using place = new MountPlace("scale");
  const started = performance.now();
  await place.mount({ store, instance, backupId });
  const mountMs = performance.now() - started;
  assert.ok(mountMs < MOUNT_MS_MAX, `the mount took ${Math.round(mountMs)} ms`);

  const random = numbersBelow(FILE_COUNT * BLOCKS_PER_FILE);
  for (let i = 0; i < READ_COUNT; i++) {
    const position = random.next().value ?? 0;
    const [index, block] = [Math.floor(position / BLOCKS_PER_FILE), position % BLOCKS_PER_FILE];
    withFile(`${place.root}/${catalog.pathOf(index)}`, posix.O.RDONLY, (fd) => {
      const page = readAt(fd, block * 8192, 8192);
      assert.ok(
        Buffer.compare(page, catalog.pageOf(index, block)) === 0,
        `file ${index}, block ${block}`,
      );
    });
  }
  const memory = await place.workerMemory();
  assert.ok(memory < MEMORY_BYTES_MAX, `the worker uses ${Math.round(memory / 2 ** 20)} MiB`);
  await place.unmount();
});
