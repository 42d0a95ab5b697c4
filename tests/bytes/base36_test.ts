import { equal } from "node:assert/strict";
import fc from "fast-check";
import { decodeBase36, encodeBase36 } from "#src/bytes/base36.ts";

Deno.test("encodeBase36() writes upper-case digits without padding", () => {
  equal(encodeBase36(0), "0");
  equal(encodeBase36(35), "Z");
  equal(encodeBase36(1795226505), "TOTXMX");
});

Deno.test("decodeBase36() reads what encodeBase36() writes, in either case", () => {
  fc.assert(fc.property(fc.nat({ max: 36 ** 10 - 1 }), (value) => {
    equal(decodeBase36(encodeBase36(value)), value);
    equal(decodeBase36(encodeBase36(value).toLowerCase()), value);
  }));
});

Deno.test("decodeBase36() refuses everything else", () => {
  for (const text of ["", " A", "A B", "-1", "Ä", "12345678901", "1.5", "0x1_"]) {
    equal(decodeBase36(text), undefined, text);
  }
});
