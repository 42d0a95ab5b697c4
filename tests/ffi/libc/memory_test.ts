import assert from "node:assert/strict";
import { bufferAt, cleanFileMappings, releaseUnusedMemory } from "#ffi/libc/memory.ts";
import { allocateNativeBuffer, readSmallFile } from "#ffi/libc/calls.ts";

const MAPS = `55b6d4e7f000-55b6d6a0d000 r--p 00000000 fe:00 10012229    /usr/bin/program name
55b6d6c83000-55b6da977000 r-xp 01b8d000 fe:00 10012229    /usr/bin/program name
55b6da977000-55b6dabe9000 r--p 05880000 fe:00 10012229    /usr/bin/program name
55b6dabe9000-55b6dabf0000 rw-p 05af0000 fe:00 10012229    /usr/bin/program name
55b6e9543000-55b6e9a65000 rw-p 00000000 00:00 0           [heap]
7f8465e00000-7f84663b9000 r--s 00000000 fe:00 10012230    /root/.cache/shared
7f83c0000000-7f83dfdc0000 rwxp 00000000 00:00 0
7ffc0cef8000-7ffc0cefa000 r-xp 00000000 00:00 0           [vdso]
`;

Deno.test("cleanFileMappings() finds code, and constants that no loader changes", () => {
  assert.deepEqual(cleanFileMappings(MAPS), [
    { start: 0x55b6d4e7f000n, sizeBytes: 0x1b8e000 },
    { start: 0x55b6d6c83000n, sizeBytes: 0x3cf4000 },
  ]);
});

function residentKibibytes(): number {
  const status = readSmallFile("/proc/self/status");
  assert.ok(typeof status !== "number");
  return Number(/^RssFile:\s+(\d+) kB/m.exec(new TextDecoder().decode(status))?.[1]);
}

Deno.test("releaseUnusedMemory() lets go of the program's code, which runs on", () => {
  const before = residentKibibytes();
  releaseUnusedMemory();
  const after = residentKibibytes();
  assert.ok(after < before * 0.7, `${before} KiB before, ${after} after`);
  assert.equal([3, 1, 2].sort().join(), "1,2,3");
});

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
