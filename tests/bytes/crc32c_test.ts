import { equal } from "node:assert/strict";
import { crc32c } from "#src/bytes/crc32c.ts";

const encode = (text: string) => new TextEncoder().encode(text);

/** Bit by bit, as the definition has it. */
function slowCrc32c(bytes: Uint8Array): number {
  let crc = 0xffffffff;
  for (const byte of bytes) {
    crc ^= byte;
    for (let bit = 0; bit < 8; bit++) crc = (crc & 1) ? (crc >>> 1) ^ 0x82f63b78 : crc >>> 1;
  }
  return ~crc >>> 0;
}

Deno.test("crc32c() gives the published check values", () => {
  equal(crc32c(encode("123456789")), 0xe3069283);
  equal(crc32c(new Uint8Array(32)), 0x8a9136aa);
  equal(crc32c(new Uint8Array(32).fill(0xff)), 0x62a8ab43);
  equal(crc32c(new Uint8Array(0)), 0);
});

Deno.test("crc32c() agrees with the definition for every length, start and split", () => {
  const bytes = Uint8Array.from({ length: 70 }, (_, index) => (index * 37 + 11) & 0xff);
  for (let start = 0; start < 9; start++) {
    for (let end = start; end <= bytes.length; end++) {
      const expected = slowCrc32c(bytes.subarray(start, end));
      equal(crc32c(bytes, start, end), expected);
      const middle = (start + end) >> 1;
      equal(crc32c(bytes, middle, end, crc32c(bytes, start, middle)), expected);
    }
  }
});
