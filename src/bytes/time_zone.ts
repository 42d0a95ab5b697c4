/**
 * Time zones as systems name them: zone files (TZif, RFC 9636) and rules in `TZ` (POSIX). Only
 * whether they are well-formed: times are the C library's.
 *
 * @module
 */

const MAGIC = 0x545a6966; // "TZif"
const HEADER_SIZE = 44;
/** Numbers of UT flags, standard flags, leap seconds, transitions, types and name bytes. */
const COUNTS_AT = 20;
const VERSION_AT = 4;
/** After the block with 32 bit times another one has 64 bits. */
const VERSION_WITH_LONG_TIMES = "2".charCodeAt(0);

/** Whether `bytes` are a whole zone file. */
export function isZoneFile(bytes: Uint8Array): boolean {
  const shortSize = blockSize(bytes, 0, 4);
  if (shortSize === undefined || bytes[VERSION_AT]! < VERSION_WITH_LONG_TIMES) {
    return shortSize !== undefined;
  }
  return blockSize(bytes, shortSize, 8) !== undefined;
}

/**
 * Size of the header at `offset` with its data; undefined where there are none, or not all of it.
 */
function blockSize(bytes: Uint8Array, offset: number, timeSize: 4 | 8): number | undefined {
  if (bytes.length - offset < HEADER_SIZE) return undefined;
  const view = new DataView(bytes.buffer, bytes.byteOffset + offset, bytes.length - offset);
  if (view.getUint32(0) !== MAGIC) return undefined;
  const [utFlags, standardFlags, leaps, transitions, types, names] = Array.from(
    { length: 6 },
    (_, index) => view.getUint32(COUNTS_AT + 4 * index),
  ) as [number, number, number, number, number, number];
  const size = HEADER_SIZE + transitions * (timeSize + 1) + types * 6 + names +
    leaps * (timeSize + 4) + standardFlags + utFlags;
  return types > 0 && size <= view.byteLength ? size : undefined;
}

const NAME = "(?:[A-Za-z]{3,}|<[A-Za-z0-9+-]{3,}>)";
const HOURS_TO_24 = "(?:2[0-4]|[01]?\\d)";
const HOURS_TO_167 = "(?:16[0-7]|1[0-5]\\d|\\d{1,2})";
const MINUTES = "(?::[0-5]?\\d(?::[0-5]?\\d)?)?";
const OFFSET = `[+-]?${HOURS_TO_24}${MINUTES}`;
const MONTH_DAY = "M(?:1[0-2]|0?[1-9])\\.[1-5]\\.[0-6]";
const YEAR_DAY = "J?(?:36[0-5]|3[0-5]\\d|[12]\\d\\d|\\d{1,2})";
const CHANGE = `,(?!J0+(?:[,/]|$))(?:${MONTH_DAY}|${YEAR_DAY})(?:/[+-]?${HOURS_TO_167}${MINUTES})?`;
const RULE = new RegExp(`^${NAME}${OFFSET}(?:${NAME}(?:${OFFSET})?(?:${CHANGE}${CHANGE})?)?$`, "u");

/**
 * Whether `text` is a rule such as `CET-1CEST,M3.5.0,M10.5.0/3`; without the days of change the C
 * library has its own.
 */
export function isZoneRule(text: string): boolean {
  return RULE.test(text);
}
