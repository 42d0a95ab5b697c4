/**
 * The mark of a diff directory that has everything: `.pbkfs-hydrated`.
 *
 * It says that all that the mount shows stands in the diff, durably: every directory, link and
 * file, and of every partial file each block, in its durable map. What is changed later goes to the
 * diff too, so the mark stays for good.
 *
 * It carries a digest of the diff's nonce, as the root's marker does: a mark that was left, or
 * copied, beside another tree says nothing.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import { readSmallTextFile, replaceTextFile } from "../durable_file.ts";

/** Name of the mark in the diff directory. */
export const HYDRATED_FILE_NAME = ".pbkfs-hydrated";

/**
 * Notes durably that the diff has everything. What it has must be durable before.
 *
 * @param nonce of the diff's binding, 16 bytes
 * @throws {OsError}
 */
export function noteHydrated(diffPath: string, nonce: Uint8Array): void {
  const options = { mode: 0o600, durable: true };
  replaceTextFile(diffPath, HYDRATED_FILE_NAME, formatMark(nonce), options);
}

/**
 * Whether the diff has everything.
 *
 * @param nonce of the diff's binding, 16 bytes
 * @throws {StateError} when something else than a file is in the mark's place
 * @throws {OsError}
 */
export function isHydrated(diffPath: string, nonce: Uint8Array): boolean {
  return readSmallTextFile(`${diffPath}/${HYDRATED_FILE_NAME}`) === formatMark(nonce);
}

function formatMark(nonce: Uint8Array): string {
  return `hydrated ${crc32c(nonce).toString(16).padStart(8, "0")}\n`;
}
