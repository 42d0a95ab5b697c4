/**
 * Base-36 numbers: digits `0`…`9`, `A`…`Z`, most significant first, no padding.
 *
 * @module
 */

/** Longest accepted text: 10 digits are below 2^53. */
export const BASE36_DIGITS_MAX = 10;

/** Writes a non-negative integer below 2^53 with upper-case digits. */
export function encodeBase36(value: number): string {
  return value.toString(36).toUpperCase();
}

/**
 * Reads a number of 1 to {@link BASE36_DIGITS_MAX} digits in either case; undefined for anything
 * else.
 */
export function decodeBase36(text: string): number | undefined {
  if (text.length > BASE36_DIGITS_MAX || !/^[0-9A-Za-z]+$/.test(text)) return undefined;
  return Number.parseInt(text, 36);
}
