/**
 * PostgreSQL's LZ compression. The data are groups of a control byte and up to eight items. Bits of
 * the control byte are used from the lowest one up: 0 = one literal byte, 1 = a tag:
 *
 * | byte | bits | field |
 * |---|---|---|
 * | 0 | 7…4 | distance, upper four bits |
 * | 0 | 3…0 | length - 3; 15 says that byte 2 is there and added |
 * | 1 | | distance, lower eight bits |
 * | 2 | | only when the length field is 15 |
 *
 * @module
 */

const LENGTH_MIN = 3;
const LENGTH_SHORT_MAX = 18;

/**
 * Expands `source` from `sourceStart`, `sourceSize` bytes, to exactly `targetSize` bytes.
 *
 * @returns `targetSize`; -1 when the data are damaged, end early or go on behind the last byte
 */
export function decodePglz(
  source: Uint8Array,
  sourceStart: number,
  sourceSize: number,
  target: Uint8Array,
  targetStart: number,
  targetSize: number,
): number {
  const inputEnd = sourceStart + sourceSize;
  const outputEnd = targetStart + targetSize;
  let input = sourceStart;
  let output = targetStart;
  while (input < inputEnd && output < outputEnd) {
    let control = source[input++]!;
    for (let item = 0; item < 8 && input < inputEnd && output < outputEnd; item++) {
      if ((control & 1) === 0) {
        target[output++] = source[input++]!;
      } else {
        if (inputEnd - input < 2) return -1;
        const first = source[input]!;
        const distance = ((first & 0xf0) << 4) | source[input + 1]!;
        let length = (first & 0x0f) + LENGTH_MIN;
        input += 2;
        if (length === LENGTH_SHORT_MAX) {
          if (input >= inputEnd) return -1;
          length += source[input++]!;
        }
        if (distance === 0 || distance > output - targetStart) return -1;
        const end = output + length < outputEnd ? output + length : outputEnd;
        for (; output < end; output++) target[output] = target[output - distance]!;
      }
      control >>= 1;
    }
  }
  return input === inputEnd && output === outputEnd ? targetSize : -1;
}
