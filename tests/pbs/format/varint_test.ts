import { deepEqual, equal, throws } from "node:assert/strict";
import fc from "fast-check";
import { FormatError, UsageError } from "#src/errors.ts";
import {
  encodeSigned,
  encodeUnsigned,
  readSafeUnsigned,
  readSigned,
  readUnsigned,
} from "#src/pbs/format/varint.ts";
import { cryptoVectors } from "#tests/support/crypto_vectors.ts";

const VECTORS = cryptoVectors().catalog_varints;
const cursorOf = (bytes: ArrayLike<number>) => ({ bytes: Uint8Array.from(bytes), offset: 0 });

Deno.test("encodeUnsigned() and readUnsigned() agree with the vectors", () => {
  for (const { value, bytes } of VECTORS.u64) {
    equal(Uint8Array.from(encodeUnsigned(BigInt(value))).toHex(), bytes);
    equal(readUnsigned(cursorOf(Uint8Array.fromHex(bytes))), BigInt(value));
  }
});

Deno.test("encodeSigned() and readSigned() agree with the vectors", () => {
  for (const { value, bytes } of VECTORS.i64) {
    equal(Uint8Array.from(encodeSigned(BigInt(value))).toHex(), bytes);
    equal(readSigned(cursorOf(Uint8Array.fromHex(bytes))), BigInt(value));
  }
});

Deno.test("encodeUnsigned() and encodeSigned() give the same bytes for numbers and big integers", () => {
  fc.assert(
    fc.property(fc.maxSafeNat(), fc.maxSafeInteger(), (unsigned, signed) => {
      deepEqual(encodeUnsigned(unsigned), encodeUnsigned(BigInt(unsigned)));
      deepEqual(encodeSigned(signed), encodeSigned(BigInt(signed)));
      equal(readSafeUnsigned(cursorOf(encodeUnsigned(unsigned))), unsigned);
      equal(Number(readSigned(cursorOf(encodeSigned(signed)))), signed);
    }),
    { seed: 3 },
  );
});

Deno.test("readUnsigned() and readSigned() refuse what is cut off, too long or too large", () => {
  throws(() => readUnsigned(cursorOf([])), FormatError);
  throws(() => readUnsigned(cursorOf([0x80])), FormatError);
  throws(() => readUnsigned(cursorOf(Array(11).fill(0x80))), FormatError);
  throws(() => readUnsigned(cursorOf([...Array(9).fill(0xff), 0x02])), FormatError);
  throws(() => readSigned(cursorOf([])), FormatError);
  throws(() => readSigned(cursorOf(Array(12).fill(0x81))), FormatError);
  throws(() => readSigned(cursorOf([...Array(9).fill(0xff), 0x01])), FormatError);
  throws(() => readSigned(cursorOf([...Array(10).fill(0xff), 0x00])), FormatError);
  throws(() => readSafeUnsigned(cursorOf(encodeUnsigned(1n << 53n))), FormatError);
  throws(() => encodeUnsigned(-1), UsageError);
  throws(() => encodeUnsigned(1n << 64n), UsageError);
  throws(() => encodeSigned(1n << 63n), UsageError);
});

Deno.test("readSafeUnsigned() advances as far as readUnsigned() does", () => {
  for (const bytes of [[0], [0x80, 0x01], [0x80, 0x80, 0x80, 0x80, 0x01], [0x81, 0x80, 0x00]]) {
    const [safe, exact] = [cursorOf(bytes), cursorOf(bytes)];
    equal(BigInt(readSafeUnsigned(safe)), readUnsigned(exact));
    equal(safe.offset, exact.offset);
  }
});
