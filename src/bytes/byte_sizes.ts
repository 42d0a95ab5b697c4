/**
 * Sizes for people, in the forms of the tools that print the same tables.
 *
 * @module
 */

const BINARY_UNITS = ["B", "KiB", "MiB", "GiB", "TiB", "PiB"];
const CATALOG_UNITS = ["B", "kB", "MB", "GB", "TB", "PB"];

/**
 * As of datastores and archives: `60.689 KiB`, `5.2 MiB`, `12 B`; at most three decimals.
 */
export function formatHumanBytes(bytes: number): string {
  const [value, unit] = scale(bytes, 1024, BINARY_UNITS);
  return `${Number(value.toFixed(3))} ${unit}`;
}

/** As pg_probackup prints them, in units of 1024: `512B`, `3493kB`, `34MB`. */
export function formatCatalogBytes(bytes: number): string {
  const [value, unit] = scale(bytes, 10 * 1024, CATALOG_UNITS);
  return `${Math.round(value)}${unit}`;
}

/** The value in the first of the units in which it is below the limit. */
function scale(bytes: number, limit: number, units: readonly string[]): [number, string] {
  let value = bytes;
  let unit = 0;
  while (value >= limit && unit < units.length - 1) {
    value /= 1024;
    unit++;
  }
  return [value, units[unit]!];
}
