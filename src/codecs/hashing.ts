/**
 * SHA-256 and CRC-32: libcrypto for memory by address, else the built-in.
 *
 * @module
 */

import { createHash } from "node:crypto";
import { crc32 as builtInCrc32 } from "node:zlib";
import { loadLibcrypto } from "#ffi/libcrypto.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { nativeBufferOf } from "#ffi/libc/calls.ts";

/**
 * SHA-256 of `size` bytes of `source` from `start` on, followed by the bytes of `suffix` where
 * there is one. The region must lie inside its buffer, which is the caller's duty.
 *
 * @returns 32 bytes
 */
export type Sha256 = (
  source: NativeBuffer,
  start: number,
  size: number,
  suffix?: Uint8Array<ArrayBuffer>,
) => Uint8Array<ArrayBuffer>;

/** SHA-256 over pieces. */
export interface Sha256Stream {
  update(bytes: Uint8Array): void;
  /** The digest of all pieces, once, at the end. */
  digest(): Uint8Array<ArrayBuffer>;
}

/** By libcrypto, or undefined where it is not installed. */
export function sha256ByLibrary(): Sha256 | undefined {
  const library = loadLibcrypto();
  if (library === undefined) return undefined;
  // A suffix is a key that is used for a whole backup: its address is looked up once.
  let latest: { bytes: Uint8Array; address: bigint } = { bytes: new Uint8Array(0), address: 0n };
  return (source, start, size, suffix) => {
    const address = source.address + BigInt(start);
    if (suffix === undefined) return library.sha256(address, BigInt(size), 0n, 0n);
    if (suffix !== latest.bytes) latest = nativeBufferOf(suffix);
    return library.sha256(address, BigInt(size), latest.address, BigInt(suffix.length));
  };
}

/** Without FFI. */
export const sha256BuiltIn: Sha256 = (source, start, size, suffix) => {
  const hash = createHash("sha256").update(source.bytes.subarray(start, start + size));
  if (suffix !== undefined) hash.update(suffix);
  return new Uint8Array(hash.digest());
};

/** SHA-256 of bytes that need not have an address. */
export function sha256Of(bytes: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
  // Most programs that need it have loaded the library for chunks; to load the built-in takes 15
  // ms.
  const library = mayUseFfi ? loadLibcrypto() : undefined;
  if (library === undefined) return new Uint8Array(createHash("sha256").update(bytes).digest());
  return library.sha256(nativeBufferOf(bytes).address, BigInt(bytes.length), 0n, 0n);
}

/** SHA-256 of bytes that come in pieces. */
export function sha256Stream(): Sha256Stream {
  const hash = createHash("sha256");
  return {
    update(bytes) {
      hash.update(bytes);
    },
    digest: () => new Uint8Array(hash.digest()),
  };
}

/** Bytes of a table of remainders are used for at first: to load the built-in takes 15 ms. */
const TABLE_SHARE = 256 << 10;
let tableShare = TABLE_SHARE;
let remainders: Int32Array | undefined;

/**
 * CRC-32 (zlib, IEEE 802.3) of `size` bytes of `bytes` from `start` on.
 *
 * @returns an unsigned 32-bit number
 */
export function crc32(bytes: Uint8Array, start: number, size: number): number {
  if (size > tableShare) return builtInCrc32(bytes.subarray(start, start + size));
  tableShare -= size;
  const table = remainders ??= makeRemainders();
  let crc = -1;
  for (let index = start; index < start + size; index++) {
    crc = (crc >>> 8) ^ table[(crc ^ bytes[index]!) & 0xff]!;
  }
  return ~crc >>> 0;
}

/** What a byte adds to the checksum, for each byte; the polynomial is reflected. */
function makeRemainders(): Int32Array {
  return Int32Array.from({ length: 256 }, (_, byte) => {
    let remainder = byte;
    for (let bit = 0; bit < 8; bit++) {
      remainder = (remainder >>> 1) ^ ((remainder & 1) === 0 ? 0 : 0xedb88320);
    }
    return remainder;
  });
}
