/**
 * A decoder for raw LZ4 blocks, for runs without FFI or without the library.
 *
 * A block is a list of sequences: token (literal count in the high nibble, match length - 4 in the
 * low one; 15 is continued by bytes until one is below 255), literals, a 16-bit little-endian
 * distance. The last sequence ends after its literals.
 *
 * @module
 */

const MATCH_LENGTH_MIN = 4;
const NIBBLE_MAX = 15;

/**
 * Expands a raw block, at most `targetSize` bytes.
 *
 * @param historyStart where the output of blocks begins that this one may refer to
 * @returns the number of bytes produced; -1 when the block is damaged or expands to more
 */
export function decodeLz4Block(
  source: Uint8Array,
  sourceStart: number,
  sourceSize: number,
  target: Uint8Array,
  targetStart: number,
  targetSize: number,
  historyStart = targetStart,
): number {
  const inputEnd = sourceStart + sourceSize;
  const outputEnd = targetStart + targetSize;
  let input = sourceStart;
  let output = targetStart;
  while (input < inputEnd) {
    const token = source[input++]!;
    let literals = token >> 4;
    if (literals === NIBBLE_MAX) {
      let more;
      do {
        if (input >= inputEnd) return -1;
        more = source[input++]!;
        literals += more;
      } while (more === 255);
    }
    if (literals > inputEnd - input || literals > outputEnd - output) return -1;
    const literalsEnd = output + literals;
    while (output < literalsEnd) target[output++] = source[input++]!;
    if (input === inputEnd) return output - targetStart;

    if (inputEnd - input < 2) return -1;
    const distance = source[input]! | (source[input + 1]! << 8);
    input += 2;
    if (distance === 0 || distance > output - historyStart) return -1;
    let length = token & NIBBLE_MAX;
    if (length === NIBBLE_MAX) {
      let more;
      do {
        if (input >= inputEnd) return -1;
        more = source[input++]!;
        length += more;
      } while (more === 255);
    }
    length += MATCH_LENGTH_MIN;
    if (length > outputEnd - output) return -1;
    const matchEnd = output + length;
    for (; output < matchEnd; output++) target[output] = target[output - distance]!;
  }
  // A block must end with literals: running out of input after a match is a cut-off block.
  return -1;
}
