/**
 * Sizes as other tools for the same datastores print them.
 *
 * @module
 */

const UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];

/** `60.689 KiB`, `5.2 MiB`, `12 B`: at most three decimals. */
export function formatHumanBytes(bytes: number): string {
  let value = bytes;
  let unit = 0;
  while (value >= 1024 && unit < UNITS.length - 1) {
    value /= 1024;
    unit++;
  }
  return `${Number(value.toFixed(3))} ${UNITS[unit]}`;
}
