/** XXH32 against published values. */

import assert from "node:assert/strict";
import { Xxh32, xxh32 } from "#src/bytes/xxh32.ts";

Deno.test("XXH32 gives the known values", () => {
  const of = (text: string) => xxh32(new TextEncoder().encode(text));
  assert.equal(of(""), 0x02cc5d05);
  assert.equal(of("a"), 0x550d7456);
  assert.equal(of("abc"), 0x32d153ff);
  assert.equal(of("Nobody inspects the spammish repetition"), 0xe2293b2f);
});

Deno.test("XXH32 is the same whatever parts the bytes come in", () => {
  const bytes = Uint8Array.from({ length: 100 }, (_, index) => index * 7);
  for (let first = 0; first <= bytes.length; first++) {
    for (const second of [first, Math.min(first + 5, bytes.length), bytes.length]) {
      const parts = new Xxh32().update(bytes.subarray(0, first))
        .update(bytes.subarray(first, second)).update(bytes.subarray(second));
      assert.equal(parts.digest(), xxh32(bytes));
    }
  }
});
