/**
 * CRC-32C (Castagnoli): reflected polynomial 0x82F63B78, initial value and final xor 0xFFFFFFFF.
 *
 * @module
 */

const POLYNOMIAL = 0x82f63b78;

/**
 * Eight tables of 256: table k advances a byte that lies k bytes before the end of the group of
 * eight.
 */
const TABLES = makeTables();
const T0 = TABLES.subarray(0, 256);
const T1 = TABLES.subarray(256, 512);
const T2 = TABLES.subarray(512, 768);
const T3 = TABLES.subarray(768, 1024);
const T4 = TABLES.subarray(1024, 1280);
const T5 = TABLES.subarray(1280, 1536);
const T6 = TABLES.subarray(1536, 1792);
const T7 = TABLES.subarray(1792, 2048);

function makeTables(): Int32Array {
  const tables = new Int32Array(8 * 256);
  for (let byte = 0; byte < 256; byte++) {
    let value = byte;
    for (let bit = 0; bit < 8; bit++) {
      value = (value & 1) !== 0 ? (value >>> 1) ^ POLYNOMIAL : value >>> 1;
    }
    tables[byte] = value;
  }
  for (let index = 256; index < tables.length; index++) {
    const previous = tables[index - 256]!;
    tables[index] = (previous >>> 8) ^ tables[previous & 0xff]!;
  }
  return tables;
}

/**
 * Computes the checksum of `bytes` from `start` to `end`, eight bytes a step.
 *
 * @param previous checksum of the bytes before, to continue it
 * @returns an unsigned 32-bit number
 */
export function crc32c(bytes: Uint8Array, start = 0, end = bytes.length, previous = 0): number {
  let crc = ~previous;
  let position = start;
  const groupsEnd = start + ((end - start) & ~7);
  while (position < groupsEnd) {
    crc ^= bytes[position]! | (bytes[position + 1]! << 8) | (bytes[position + 2]! << 16) |
      (bytes[position + 3]! << 24);
    crc = T7[crc & 0xff]! ^ T6[(crc >>> 8) & 0xff]! ^ T5[(crc >>> 16) & 0xff]! ^ T4[crc >>> 24]! ^
      T3[bytes[position + 4]!]! ^ T2[bytes[position + 5]!]! ^ T1[bytes[position + 6]!]! ^
      T0[bytes[position + 7]!]!;
    position += 8;
  }
  while (position < end) {
    crc = (crc >>> 8) ^ T0[(crc ^ bytes[position]!) & 0xff]!;
    position += 1;
  }
  return ~crc >>> 0;
}
