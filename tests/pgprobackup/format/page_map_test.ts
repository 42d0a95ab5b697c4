import { deepEqual, equal } from "node:assert/strict";
import { mergePageMap } from "#src/pgprobackup/format/page_map.ts";
import { encodeStream } from "../_catalog_writer.ts";

const page = (value: number) => new Uint8Array(8192).fill(value);

function mapOf(blocks: readonly number[]): { words: Int32Array; size: number } {
  const pages = new Map(blocks.map((block) => [block, page(block)]));
  const { bytes, headers } = encodeStream(pages, "none");
  return { words: new Int32Array(headers.buffer), size: bytes.length };
}

Deno.test("mergePageMap() enters newer layers first and passes over blocks beyond the end", () => {
  const index = new Uint32Array(2 * 4);
  const newer = mapOf([1, 3]);
  const older = mapOf([0, 1, 2, 9]);
  equal(mergePageMap(newer.words, 2, newer.size, 0, index), -1);
  equal(mergePageMap(older.words, 4, older.size, 1, index), -1);
  const layerOne = (1 << 14) | 8192;
  deepEqual([...index], [0, layerOne, 0, 8192, 2 * 8200, layerOne, 8200, 8192]);
});

Deno.test("mergePageMap() tells the element that cannot be", () => {
  const cases: [word: number, value: number, element: number][] = [
    [3, 8, 0], // does not begin at 0
    [2, -1, 0], // negative block
    [6 + 2, 0, 1], // block not ascending
    [6 + 3, 0, 0], // payload of -8 bytes
    [6 + 3, 8, 0], // payload of 0 bytes
    [6 + 3, 8201, 0], // payload of 8193 bytes
    [12 + 3, 16401, 1], // the terminator is beyond the file
  ];
  for (const [word, value, element] of cases) {
    const { words, size } = mapOf([0, 1]);
    words[word] = value;
    equal(mergePageMap(words, 2, size, 0, new Uint32Array(4)), element, `word ${word} = ${value}`);
  }
  const { words, size } = mapOf([0, 1]);
  equal(mergePageMap(words, 2, size + 1, 0, new Uint32Array(4)), 2);
});
