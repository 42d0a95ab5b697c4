import assert from "node:assert/strict";
import { SipHash24 } from "#src/bytes/siphash.ts";

function hashOf(hash: SipHash24, bytes: Uint8Array): string {
  hash.hash(bytes);
  return hash.high.toString(16).padStart(8, "0") + hash.low.toString(16).padStart(8, "0");
}

Deno.test("SipHash24 gives the values of the paper's appendix", () => {
  // Key 00 01 … 0f, messages of 15 and of 0 bytes 00 01 ….
  const hash = new SipHash24(0x0706050403020100n, 0x0f0e0d0c0b0a0908n);
  assert.equal(hashOf(hash, Uint8Array.from({ length: 15 }, (_, i) => i)), "a129ca6149be45e5");
  assert.equal(hashOf(hash, new Uint8Array()), "726fdb47dd0e0e31");
});

Deno.test("SipHash24 gives the values of the archive format", () => {
  const hash = new SipHash24(0x83ac3f1cfbb450dbn, 0xaa4f1b6879369fbdn);
  const values = {
    "a": "0c26e9067c2c7bcf",
    "b": "4d1da3f512e8c733",
    "hello.txt": "9b1ee0b84c66190c",
    "file.txt": "967764f630c3da14",
    "ü": "8e84b2261f41147d",
    "": "76614015f8d1bb6c",
    "__PROXMOX_FORMAT_GOODBYE__": "2fec4fa642d5731d",
  };
  for (const [text, value] of Object.entries(values)) {
    assert.equal(hashOf(hash, new TextEncoder().encode(text)), value, text);
  }
});

Deno.test("SipHash24.hash takes a part of the bytes", () => {
  const hash = new SipHash24(1n, 2n);
  const bytes = new TextEncoder().encode("0123456789abcdefghij");
  const expected = hashOf(hash, bytes.subarray(3, 17));
  hash.hash(bytes, 3, 17);
  assert.equal(hash.high, parseInt(expected.slice(0, 8), 16));
  assert.equal(hash.low, parseInt(expected.slice(8), 16));
});
