import { deepEqual, equal, notDeepEqual } from "node:assert/strict";
import fc from "fast-check";
import { type Aead, aeadBuiltIn, aeadByLibrary, TAG_SIZE } from "#src/codecs/aead.ts";
import { builtInCodecs, type Codecs, nativeCodecs } from "#src/codecs/codecs.ts";

const LIBRARY = aeadByLibrary();
const CASES: readonly (readonly [string, Aead, Codecs])[] = [
  ...(LIBRARY === undefined ? [] : [["aeadByLibrary()", LIBRARY, nativeCodecs()] as const]),
  ["aeadBuiltIn", aeadBuiltIn, builtInCodecs()],
];

function messageOf(keyByte: number, ivSize: number) {
  return {
    key: new Uint8Array(32).fill(keyByte),
    iv: Uint8Array.from({ length: ivSize }, (_, index) => index + keyByte),
    tag: new Uint8Array(TAG_SIZE),
  };
}

Deno.test("aeadByLibrary() and aeadBuiltIn make the same bytes and tags", () => {
  fc.assert(
    fc.property(
      fc.nat({ max: 5000 }),
      fc.nat({ max: 255 }),
      fc.constantFrom(12, 16, 1, 32),
      (size, keyByte, ivSize) => {
        const results = CASES.map(([, aead, codecs]) => {
          const [source, target] = [codecs.allocate(size + 10), codecs.allocate(size + 20)];
          for (let index = 0; index < size; index++) source.bytes[index + 3] = index * 7;
          const message = messageOf(keyByte, ivSize);
          aead.seal(message, source, 3, size, target, 11);
          return [target.bytes.toHex(), message.tag.toHex()];
        });
        for (const result of results) deepEqual(result, results[0]);
      },
    ),
    { seed: 1, numRuns: 300 },
  );
});

for (const [name, aead, codecs] of CASES) {
  Deno.test(`${name} opens what it sealed, also in place`, () => {
    for (const size of [0, 1, 15, 16, 17, 1000, 100_000]) {
      const [buffer, target] = [codecs.allocate(size + 8), codecs.allocate(size)];
      for (let index = 0; index < size; index++) buffer.bytes[index + 4] = index;
      const plain = buffer.bytes.slice(4, 4 + size);
      const message = messageOf(size, 16);
      aead.seal(message, buffer, 4, size, buffer, 4);
      if (size > 0) notDeepEqual(buffer.bytes.slice(4, 4 + size), plain);
      equal(aead.open(message, buffer, 4, size, target, 0), true);
      deepEqual(target.bytes.slice(0, size), plain);
      equal(aead.open(message, buffer, 4, size, buffer, 4), true);
      deepEqual(buffer.bytes.slice(4, 4 + size), plain);
    }
  });

  Deno.test(`${name} notices every flipped bit of key, IV, tag and bytes`, () => {
    const size = 20;
    const [buffer, target] = [codecs.allocate(size), codecs.allocate(size)];
    const message = messageOf(1, 16);
    aead.seal(message, buffer, 0, size, buffer, 0);
    for (const part of [message.key, message.iv, message.tag, buffer.bytes]) {
      for (let bit = 0; bit < 8 * part.length; bit++) {
        part[bit >> 3]! ^= 1 << (bit & 7);
        equal(aead.open(message, buffer, 0, size, target, 0), false);
        part[bit >> 3]! ^= 1 << (bit & 7);
      }
    }
    equal(aead.open(message, buffer, 0, size, target, 0), true);
  });
}
