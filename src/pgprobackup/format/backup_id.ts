/**
 * Backup ids: the start time of the backup in seconds since 1970 UTC, in base 36.
 *
 * @module
 */

import { decodeBase36, encodeBase36 } from "#src/bytes/base36.ts";

/** `TOTXMX` for 1795226505. */
export function formatBackupId(startSeconds: number): string {
  return encodeBase36(startSeconds);
}

/** The start time that an id in either case stands for; undefined when the text is not an id. */
export function parseBackupId(id: string): number | undefined {
  return decodeBase36(id);
}

/** The one spelling in which ids are compared and shown. */
export function canonicalBackupId(id: string): string {
  return id.toUpperCase();
}
