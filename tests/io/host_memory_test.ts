import assert from "node:assert/strict";
import { allocateNativeBuffer } from "#src/io/host.ts";
import { bufferAt } from "#src/io/host_memory.ts";

Deno.test("bufferAt() sees and changes the bytes at an address", () => {
  const own = allocateNativeBuffer(100);
  const seen = bufferAt(own.address + 10n, 20);
  own.bytes[10] = 7;
  assert.equal(seen.bytes.length, 20);
  assert.equal(seen.bytes[0], 7);
  seen.bytes[19] = 8;
  assert.equal(own.bytes[29], 8);
  assert.throws(() => bufferAt(0n, 1), TypeError);
});
