import { memoryEntry } from "#src/pxar/new_entry.ts";
import { deepEqual, equal } from "node:assert/strict";
import fc from "fast-check";
import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError } from "#src/errors.ts";
import type { KnownZeros } from "#src/io/byte_source.ts";
import { HoleSearch, SEARCH_SIZE_MAX, SEARCHED_SIZE_MIN } from "#src/pxar/reading/content_holes.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { FileNode } from "#src/tree/node.ts";
import { blockRanges, checkHolesAreZeros, dataRanges } from "#tests/support/hole_checks.ts";
import { buildArchive, FILE } from "#tests/support/pxar_builder.ts";
import { MemorySource } from "#tests/support/pxar_fixtures.ts";

const BLOCK = 4096;

/** A file whose blocks have data where the bits say so, and which ends `cut` bytes early. */
function makeFile(blocks: readonly boolean[], cut = 0): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(blocks.length * BLOCK);
  // A single byte, at any place of the block.
  blocks.forEach((isData, index) => {
    if (isData) bytes[index * BLOCK + index * 37 % BLOCK] = 1;
  });
  return bytes.slice(0, bytes.length - cut);
}

function openFile(bytes: Uint8Array<ArrayBuffer>, isSplit: boolean, zeros?: KnownZeros): FileNode {
  const { metadata, payload } = buildArchive(
    (encoder) => encoder.add("f", memoryEntry(FILE, bytes)),
    isSplit,
  );
  const withZeros = (source: MemorySource) =>
    zeros === undefined ? source : Object.assign(source, { zeros });
  const tree = openPxarTree(
    withZeros(new MemorySource(metadata)),
    payload === undefined ? {} : { payload: withZeros(new MemorySource(payload)) },
  );
  return tree.root.lookup("f") as FileNode;
}

function rangesOf(file: FileNode) {
  const content = file.open();
  return dataRanges(
    { nextData: (at) => content.nextData!(at), nextHole: (at) => content.nextHole!(at) },
    file.attributes.size,
  );
}

for (const isSplit of [false, true]) {
  const what = isSplit ? "split archive" : "archive";
  Deno.test(`The zeros of a file in a plain ${what} are found by reading`, () => {
    fc.assert(
      fc.property(
        fc.array(fc.boolean(), { minLength: 1, maxLength: 40 }),
        fc.nat(BLOCK - 1),
        (blocks, cut) => {
          const bytes = makeFile(blocks, cut);
          deepEqual(rangesOf(openFile(bytes, isSplit)), blockRanges(bytes, BLOCK));
        },
      ),
      { numRuns: 60 },
    );
  });

  Deno.test(`A larger file in a plain ${what} is a block short of full, so that programs look for holes`, () => {
    const sizes = [SEARCHED_SIZE_MIN - 1, SEARCHED_SIZE_MIN, 5 << 20];
    const dataBytes = sizes.map((size) => {
      return openFile(new Uint8Array(size).fill(1), isSplit).attributes.dataBytes;
    });
    deepEqual(dataBytes, [sizes[0], sizes[1]! - BLOCK, sizes[2]! - BLOCK]);
  });

  Deno.test(`The zeros that a ${what}'s source knows are those of its files, and nothing is read`, () => {
    const bytes = makeFile(Array.from({ length: 200 }, (_, index) => index % 7 === 0));
    // All from byte 200,000 to 600,000 of the stream; the file begins somewhere below.
    const zeros: KnownZeros = {
      nextData: (offset) => offset >= 200_000 && offset < 600_000 ? 600_000 : offset,
      nextHole: (offset) => offset < 600_000 ? Math.max(offset, 200_000) : Infinity,
      countData: (start, end) => end - start - (Math.min(end, 600_000) - Math.max(start, 200_000)),
    };
    const file = openFile(bytes, isSplit, zeros);
    const [first, second, ...more] = rangesOf(file);
    deepEqual(more, []);
    equal(first![0], 0);
    equal(second![1], bytes.length);
    equal(second![0] - first![1], 400_000);
    equal(file.attributes.dataBytes, bytes.length - 400_000);
  });
}

/** A file that is far too large for memory. */
function search(size: number, isZero: (block: number) => boolean) {
  let bytesRead = 0;
  const holes = new HoleSearch(plainBuffer).in((target, start, count, offset) => {
    bytesRead += count;
    for (let at = 0; at < count; at += BLOCK) {
      target.bytes.fill(isZero((offset + at) / BLOCK) ? 0 : 1, start + at, start + at + BLOCK);
    }
    return count;
  }, size);
  return { holes, bytesRead: () => bytesRead };
}

Deno.test("HoleSearch reads a bounded part of a file for each answer, and still goes on", () => {
  const size = 3 * SEARCH_SIZE_MAX + 5 * BLOCK;
  const zeros = search(size, () => true);
  equal(zeros.holes.nextData(0), SEARCH_SIZE_MAX);
  equal(zeros.bytesRead(), SEARCH_SIZE_MAX);
  // The block at which the search ended counts as data.
  deepEqual(
    dataRanges(zeros.holes, size),
    [1, 2, 3].map((each) => {
      return [each * SEARCH_SIZE_MAX, each * SEARCH_SIZE_MAX + BLOCK];
    }),
  );
  const dense = search(size, () => false);
  equal(dense.holes.nextHole(0), SEARCH_SIZE_MAX);
  equal(dense.bytesRead(), SEARCH_SIZE_MAX);
  equal(dense.holes.nextData(SEARCH_SIZE_MAX), SEARCH_SIZE_MAX);
});

Deno.test("HoleSearch takes what cannot be read for data", () => {
  const bytes = makeFile([false, true, false, false]);
  const holes = new HoleSearch(plainBuffer).in(() => {
    throw new IntegrityError("Cannot read: damaged");
  }, bytes.length);
  const ranges = dataRanges(holes, bytes.length);
  deepEqual(ranges, [[0, bytes.length]]);
  checkHolesAreZeros(ranges, bytes);
});
