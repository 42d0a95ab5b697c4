/**
 * Integers of 64 bits, little endian, as numbers where they are sizes and offsets.
 *
 * @module
 */

const HIGH = 0x1_0000_0000;

/** Reads an unsigned number; inexact above 2^53, which callers refuse by a limit below that. */
export function readUint64(view: DataView, offset: number): number {
  return view.getUint32(offset + 4, true) * HIGH + view.getUint32(offset, true);
}

/** Writes a safe integer; a negative one as two's complement. */
export function writeInt64(view: DataView, offset: number, value: number): void {
  view.setUint32(offset, value >>> 0, true);
  view.setInt32(offset + 4, Math.floor(value / HIGH), true);
}

/** Reads a signed number; inexact beyond ±2^53. */
export function readInt64(view: DataView, offset: number): number {
  return view.getInt32(offset + 4, true) * HIGH + view.getUint32(offset, true);
}
