/** XXH32 against published values. */

import assert from "node:assert/strict";
import { xxh32 } from "#src/bytes/xxh32.ts";

Deno.test("XXH32 gives the known values", () => {
  const of = (text: string) => xxh32(new TextEncoder().encode(text));
  assert.equal(of(""), 0x02cc5d05);
  assert.equal(of("a"), 0x550d7456);
  assert.equal(of("abc"), 0x32d153ff);
  assert.equal(of("Nobody inspects the spammish repetition"), 0xe2293b2f);
});
