import assert from "node:assert/strict";
import { encodeFileName } from "#src/bytes/file_name.ts";
import { NameDecoder } from "#src/mount/name_decoder.ts";

Deno.test("NameDecoder gives the same answer for names that share a slot, again and again", () => {
  const decoder = new NameDecoder();
  const names = Array.from({ length: 10_000 }, (_, i) => `${i % 7}_${i * 7919}.${i % 3}`);
  for (let round = 0; round < 2; round++) {
    for (const name of names) {
      const bytes = encodeFileName(`<${name}>`);
      assert.equal(decoder.decode(bytes, 1, bytes.length - 1), name);
    }
  }
});

Deno.test("NameDecoder keeps every byte of names that are not ASCII or not UTF-8", () => {
  const decoder = new NameDecoder();
  for (const name of ["", "grün-日本", "\udcffa\udcfe", "n".repeat(255)]) {
    const bytes = encodeFileName(name);
    assert.equal(decoder.decode(bytes, 0, bytes.length), name);
    assert.equal(decoder.decode(bytes, 0, bytes.length), name);
  }
});
