/**
 * What a verification of an archive finds, as text.
 *
 * @module
 */

import { quoteName } from "#src/bytes/quoting.ts";
import type { VerifyFinding } from "#src/pxar/verify.ts";

/** One line: class, place, what is wrong. */
export function formatFinding({ code, path, offset, message }: VerifyFinding): string {
  const place = [
    ...(path === undefined ? [] : [quoteName(path)]),
    ...(offset === undefined ? [] : [`offset ${offset}`]),
  ].join(", ");
  return `${code}: ${place === "" ? "" : `${place}: `}${message}\n`;
}
