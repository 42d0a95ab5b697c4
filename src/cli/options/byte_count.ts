/**
 * Numbers of bytes on the command line.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

const UNITS = ["", "K", "M", "G", "T"];

/** `1500`, `10MB` (of 1000), `10MiB` or `10M` (of 1024). @throws {UsageError} */
export function parseByteCount(text: string, option: string): number {
  const match = /^(\d{1,6}(?:\.\d{1,3})?|\d{1,15}) ?(?:([KMGT]?)(i?B?))$/iu.exec(text);
  const power = UNITS.indexOf(match?.[2]?.toUpperCase() ?? "");
  const base = match?.[3]?.toUpperCase() === "B" ? 1000 : 1024;
  const bytes = Math.round(Number(match?.[1]) * base ** power);
  if (bytes >= 1) return bytes;
  throw new UsageError(`Cannot use "${text}" for ${option}: expected bytes, such as 10MiB`, {
    option,
  });
}
