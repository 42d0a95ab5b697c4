import assert from "node:assert/strict";
import { BoundaryScanner, SCANNER_SIZE, WINDOW_SIZE } from "#src/chunking/buzhash.ts";
import { BUZHASH_TABLE } from "#src/chunking/buzhash_table.ts";
import { seededBytes } from "./support/random_bytes.ts";

const SIZE = 20_000;
const MEMORY = new WebAssembly.Memory({ initial: 2, maximum: 2 });
const BYTES = new Uint8Array(MEMORY.buffer);

/** The first boundary, byte by byte. */
function findNaively(start: number, end: number, mask: number): number {
  for (let position = start; position < end; position++) {
    let hash = 0;
    for (let index = position - WINDOW_SIZE + 1; index <= position; index++) {
      hash = (hash << 1 | hash >>> 31) ^ BUZHASH_TABLE[BYTES[index]!]!;
    }
    if ((hash & mask) >= mask - 2) return position + 1;
  }
  return 0;
}

Deno.test("BUZHASH_TABLE has the sums of the specification", () => {
  assert.equal(BUZHASH_TABLE.length, 256);
  assert.equal(BUZHASH_TABLE.reduce((sum, value) => sum ^ value, 0), 0);
  assert.equal(BUZHASH_TABLE.reduce((sum, value) => (sum + value) >>> 0, 0), 0xffffff80);
});

Deno.test("BoundaryScanner.find() finds what there is, with and without whole blocks", () => {
  BYTES.set(seededBytes(SIZE, 3), SCANNER_SIZE);
  const scanner = new BoundaryScanner(MEMORY);
  const first = SCANNER_SIZE + WINDOW_SIZE;
  const random = new Uint16Array(seededBytes(8000, 4).buffer);
  for (let index = 0; index < random.length; index += 3) {
    const start = first + random[index]! % 10_000;
    const end = start + random[index + 1]! % 6_000;
    const mask = 2 ** (9 + random[index + 2]! % 7) - 1;
    assert.equal(scanner.find(start, end, mask), findNaively(start, end, mask));
  }
});

Deno.test("BoundaryScanner.find() sees a boundary at every place of a block", () => {
  const scanner = new BoundaryScanner(MEMORY);
  // A window with a boundary after it for a mask of 16 bits, in the middle of zeros, which have
  // none.
  const mask = 0xffff;
  BYTES.set(seededBytes(SIZE, 5), SCANNER_SIZE);
  let found = findNaively(SCANNER_SIZE + WINDOW_SIZE, SCANNER_SIZE + SIZE, mask);
  for (let seed = 6; found === 0; seed++) {
    BYTES.set(seededBytes(SIZE, seed), SCANNER_SIZE);
    found = findNaively(SCANNER_SIZE + WINDOW_SIZE, SCANNER_SIZE + SIZE, mask);
  }
  const window = BYTES.slice(found - WINDOW_SIZE, found);
  const start = SCANNER_SIZE + WINDOW_SIZE;
  for (let place = WINDOW_SIZE; place < 2300; place++) {
    BYTES.fill(0, SCANNER_SIZE, SCANNER_SIZE + 4000);
    BYTES.set(window, start + place - WINDOW_SIZE);
    const end = start + place;
    assert.equal(scanner.find(start, end + 1000, mask), findNaively(start, end, mask));
    assert.equal(scanner.find(start, end - 1, mask), findNaively(start, end - 1, mask));
  }
});
