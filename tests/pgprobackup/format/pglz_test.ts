import { deepEqual, equal, ok } from "node:assert/strict";
import fc from "fast-check";
import { decodePglz } from "#src/pgprobackup/format/pglz.ts";
import { makePage } from "../_catalog_writer.ts";
import { compressPglz } from "../_compressors.ts";

function decode(input: readonly number[] | Uint8Array, size: number): number[] | undefined {
  const source = new Uint8Array(input.length + 10);
  source.set(input, 3);
  const target = new Uint8Array(size + 20).fill(0xaa);
  const count = decodePglz(source, 3, input.length, target, 10, size);
  ok(target.subarray(0, 10).every((byte) => byte === 0xaa));
  ok(target.subarray(10 + size).every((byte) => byte === 0xaa));
  return count === size ? [...target.subarray(10, 10 + size)] : undefined;
}

Deno.test("decodePglz() reads literals, short and long tags", () => {
  deepEqual(decode([0b000, 1, 2, 3], 3), [1, 2, 3]);
  deepEqual(decode([0b100, 1, 2, 0x00, 2], 5), [1, 2, 1, 2, 1]);
  deepEqual(decode([0b010, 7, 0x0f, 1, 4], 23), Array(23).fill(7));
});

Deno.test("decodePglz() clips a tag that goes beyond the page", () => {
  deepEqual(decode([0b010, 7, 0x0f, 1, 200], 9), Array(9).fill(7));
});

Deno.test("decodePglz() refuses damaged input", () => {
  equal(decode([0b001, 0x00, 1], 3), undefined, "distance beyond the start");
  equal(decode([0b010, 7, 0x00, 0], 4), undefined, "distance 0");
  equal(decode([0b010, 7, 0x00], 4), undefined, "tag cut after one byte");
  equal(decode([0b010, 7, 0x0f, 1], 30), undefined, "length byte missing");
  equal(decode([0b000, 1, 2], 3), undefined, "input ends early");
  equal(decode([0b000, 1, 2, 3], 2), undefined, "input goes on");
  equal(decode([], 1), undefined, "nothing");
});

Deno.test("decodePglz() gives back what a compressor made of any bytes", () => {
  const bytes = fc.oneof(
    fc.uint8Array({ minLength: 1, maxLength: 9000 }),
    fc.array(fc.constantFrom(0, 1, 2), { minLength: 1, maxLength: 9000 }).map((list) =>
      Uint8Array.from(list)
    ),
  );
  fc.assert(
    fc.property(bytes, (input) => {
      deepEqual(decode(compressPglz(input), input.length), [...input]);
    }),
    { numRuns: 60 },
  );
});

Deno.test("decodePglz() never writes outside its region, whatever the input", () => {
  fc.assert(fc.property(fc.uint8Array({ maxLength: 400 }), fc.nat(700), (input, size) => {
    decode(input, size);
  }));
});

Deno.test("decodePglz() refuses a page that is cut anywhere", () => {
  const input = compressPglz(makePage(0, 1));
  for (let length = 0; length < input.length; length += 7) {
    equal(decode(input.subarray(0, length), 8192), undefined);
  }
});
