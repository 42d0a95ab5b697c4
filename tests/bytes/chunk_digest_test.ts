import { deepEqual, equal, throws } from "node:assert/strict";
import { digestBytes, digestOf, parseDigest } from "#src/bytes/chunk_digest.ts";
import { FormatError } from "#src/errors.ts";

const BYTES = Uint8Array.from({ length: 32 }, (_, index) => 8 * index);

Deno.test("digestOf(), digestBytes() and parseDigest() agree", () => {
  const digest = digestOf(BYTES);
  equal(digest, BYTES.toHex());
  deepEqual(digestBytes(digest), BYTES);
  equal(parseDigest(BYTES.toHex()), digest);
});

Deno.test("digestOf() and parseDigest() refuse what is no digest", () => {
  for (const size of [0, 31, 33]) throws(() => digestOf(new Uint8Array(size)), FormatError);
  const hex = BYTES.toHex();
  for (const text of ["", hex.slice(1), `${hex}0`, hex.toUpperCase(), `${hex}\n`, "g".repeat(64)]) {
    throws(() => parseDigest(text), FormatError);
  }
});
