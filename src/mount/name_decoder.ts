/**
 * File names out of requests, without an allocation for a name that was seen before.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";

const SLOT_COUNT = 2048;

/**
 * Decodes names with a small direct-mapped table of recent ASCII names. A program asks for the same
 * names again and again, and a string that already exists has its hash computed, which makes map
 * lookups cheaper.
 */
export class NameDecoder {
  readonly #slots = new Array<string>(SLOT_COUNT).fill("");

  /** The name in `bytes` from `start` up to (without) `end`. */
  decode(bytes: Uint8Array, start: number, end: number): string {
    let hash = 0;
    for (let i = start; i < end; i++) {
      const byte = bytes[i]!;
      if (byte >= 0x80) return decodeFileName(bytes.slice(start, end));
      hash = (Math.imul(hash, 31) + byte) | 0;
    }
    const slot = (hash ^ hash >>> 15) & (SLOT_COUNT - 1);
    const known = this.#slots[slot]!;
    if (known.length === end - start && isSame(known, bytes, start)) return known;
    const name = decodeFileName(bytes.slice(start, end));
    this.#slots[slot] = name;
    return name;
  }
}

function isSame(name: string, bytes: Uint8Array, start: number): boolean {
  for (let i = 0; i < name.length; i++) {
    if (name.charCodeAt(i) !== bytes[start + i]) return false;
  }
  return true;
}
