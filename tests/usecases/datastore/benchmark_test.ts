/** Figures of a benchmark. */

import { deepEqual, ok } from "node:assert/strict";
import { measureMachine } from "#src/usecases/datastore/benchmark.ts";

Deno.test("A benchmark measures each part of a backup, in bytes a second", () => {
  const result = measureMachine(1);
  deepEqual(Object.keys(result).toSorted(), [
    "aes256_gcm",
    "compress",
    "decompress",
    "sha256",
    "verify",
  ]);
  for (const [name, { speed, top }] of Object.entries(result)) {
    // Slower than any computer of the last decades, faster than any.
    ok(speed > 1e5 && speed < 1e12, `${name}: ${speed}`);
    ok(top > 1e8);
  }
  // Verifying is decompressing, and more.
  ok(result.verify.speed < result.decompress.speed * 2);
});
