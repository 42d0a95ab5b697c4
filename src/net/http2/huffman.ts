/**
 * The Huffman code of header strings (RFC 7541, section 5.2 and appendix B).
 *
 * @module
 */

import { violation } from "./error_code.ts";

/** Bits of each byte's code, in base 36. The code is canonical, so that this says all of it. */
const CODE_SIZES = "dnsssssssoussussssssssusssssssss6aacd68baa8b8666555666666678f6ca" +
  "d67777777777777777777777878djde6f56565666577666567655677777fbeds" +
  "kmkkmmmnmnnnnnonoomnonnnnlmnmnnomlkmmnnlnmmolmnnllmlnmnnkmmmnmmn" +
  "qqkjmnmpqqqrrqopjlqrrqrollqqsrrrkoklmllnmmppooqnqrqqrrrrrsrrrrrq";

const CODE_SIZE_MAX = 30;

/** Two cells a node, for bit 0 and bit 1: the next node, or the complement of a byte. */
const tree = buildTree();

function buildTree(): Int16Array {
  const cells: number[] = [0, 0];
  let code = 0;
  for (let size = 1; size <= CODE_SIZE_MAX; size++) {
    code *= 2;
    for (let byte = 0; byte < 256; byte++) {
      if (parseInt(CODE_SIZES[byte]!, 36) === size) addLeaf(cells, code++, size, byte);
    }
  }
  return Int16Array.from(cells);
}

function addLeaf(cells: number[], code: number, size: number, byte: number): void {
  let node = 0;
  for (let bit = size - 1; bit > 0; bit--) {
    const cell = node + (code >>> bit & 1);
    if (cells[cell] === 0) {
      cells[cell] = cells.length;
      cells.push(0, 0);
    }
    node = cells[cell]!;
  }
  cells[node + (code & 1)] = ~byte;
}

/**
 * A string of bytes, each as the character of its number.
 *
 * @throws {ProtocolError} for bits that are no code, the end symbol, and padding that is too long
 */
export function decodeHuffman(bytes: Uint8Array): string {
  // The shortest code has 5 bits.
  const decoded = new Uint8Array(Math.floor(bytes.length * 8 / 5));
  let size = 0;
  let node = 0;
  let paddingBits = 0;
  let isPadding = true;
  for (const byte of bytes) {
    for (let shift = 7; shift >= 0; shift--) {
      const bit = byte >>> shift & 1;
      const next = tree[node + bit]!;
      if (next > 0) {
        node = next;
        paddingBits++;
        isPadding &&= bit === 1;
      } else if (next < 0) {
        decoded[size++] = ~next;
        node = 0;
        paddingBits = 0;
        isPadding = true;
      } else {
        // Only the end symbol, 30 times 1, is nowhere in the tree.
        throw violation("COMPRESSION_ERROR", "a header string has the end symbol in it");
      }
    }
  }
  if (paddingBits > 7 || !isPadding) {
    throw violation("COMPRESSION_ERROR", "a header string ends within a code");
  }
  return latin1Text(decoded.subarray(0, size));
}

/** Bytes as the characters of their numbers. */
export function latin1Text(bytes: Uint8Array): string {
  let text = "";
  for (let start = 0; start < bytes.length; start += 4096) {
    text += String.fromCharCode(...bytes.subarray(start, start + 4096));
  }
  return text;
}
