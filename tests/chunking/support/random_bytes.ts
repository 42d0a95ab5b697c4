/**
 * Bytes for property tests.
 *
 * @module
 */

import fc from "fast-check";

/** Up to `length` bytes that look random, from a seed. */
export function seededBytes(length: number, seed: number): Uint8Array<ArrayBuffer> {
  const words = new Uint32Array(Math.ceil(length / 4));
  let state = (seed | 1) >>> 0;
  for (let index = 0; index < words.length; index++) {
    state ^= state << 13;
    state ^= state >>> 17;
    state ^= state << 5;
    words[index] = state;
  }
  return new Uint8Array(words.buffer, 0, length);
}

/** Random bytes with stretches of one value in them: up to `lengthMax`, none included. */
export function patchedBytes(lengthMax: number): fc.Arbitrary<Uint8Array<ArrayBuffer>> {
  const patch = fc.record({
    start: fc.integer({ min: 0, max: lengthMax }),
    size: fc.integer({ min: 0, max: lengthMax / 4 }),
    value: fc.constantFrom(0, 1, 0xff),
  });
  return fc.record({
    length: fc.integer({ min: 0, max: lengthMax }),
    seed: fc.integer(),
    patches: fc.array(patch, { maxLength: 3 }),
  }).map(({ length, seed, patches }) => {
    const bytes = seededBytes(length, seed);
    for (const { start, size, value } of patches) bytes.fill(value, start, start + size);
    return bytes;
  });
}
