/**
 * What 200 threads that come and go leave in the memory of their process: in one of its own, since
 * other tests take memory too.
 *
 * @module
 */

import assert from "node:assert/strict";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { endNativeCodecs, nativeCodecs } from "#src/codecs/codecs.ts";

// struct mallinfo2 { size_t arena, ordblks, smblks, hblks, hblkhd, usmblks, fsmblks, uordblks,
// fordblks, keepcost }
const MALLINFO = {
  parameters: [],
  result: {
    struct: [
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
      "usize",
    ],
  },
} as const;

const SIZE = 256 << 10;

type Buffers = readonly [plain: NativeBuffer, packed: NativeBuffer, unpacked: NativeBuffer];

/** What a thread of a backup or of a restore does, once. */
function useCodecs([plain, packed, unpacked]: Buffers): void {
  const codecs = nativeCodecs();
  const size = codecs.compressZstd(plain, 0, SIZE, packed, 0, 2 * SIZE);
  assert.equal(codecs.zstd(packed, 0, size, unpacked, 0, SIZE), SIZE);
  assert.deepEqual(codecs.sha256(plain, 0, 1000), codecs.sha256(unpacked, 0, 1000));
  const message = {
    key: new Uint8Array(32),
    iv: new Uint8Array(16),
    tag: new Uint8Array(16),
  };
  codecs.aead.seal(message, packed, 0, size, packed, 0);
  assert.ok(codecs.aead.open(message, packed, 0, size, packed, 0));
}

const { allocate } = nativeCodecs();
const buffers: Buffers = [allocate(SIZE), allocate(2 * SIZE), allocate(SIZE)];
buffers[0].bytes.forEach((_, index, bytes) => bytes[index] = index * index);
useCodecs(buffers);
endNativeCodecs();
const libc = Deno.dlopen("libc.so.6", { mallinfo2: MALLINFO });
// What the C library has given out, to whomever.
const allocatedBytes = () => {
  const fields = new BigUint64Array(libc.symbols.mallinfo2().buffer as ArrayBuffer);
  return Number(fields[4]! + fields[7]!);
};
const before = allocatedBytes();
for (let round = 0; round < 200; round++) {
  useCodecs(buffers);
  endNativeCodecs();
}
const grown = allocatedBytes() - before;
libc.close();
console.log(grown);
