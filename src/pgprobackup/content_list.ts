/**
 * The file list of one backup on disk.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { crc32c } from "#src/bytes/crc32c.ts";
import { IntegrityError } from "#src/errors.ts";
import type { ChainMember } from "./chain.ts";
import { CONTENT_SIZE_MAX, type ContentEntry, parseContentList } from "./format/content.ts";

/** Path of a backup's file list. */
export function contentListPath(backup: { readonly directory: string }): string {
  return `${backup.directory}/backup_content.control`;
}

/**
 * Reads the list of `backup`, and calls `visit` for each entry once its checksum is found good.
 *
 * @throws {IntegrityError} when the checksum in the control file is another one
 * @throws {FormatError} as {@link parseContentList}
 */
export function readContentList(
  backup: ChainMember,
  visit: (entry: ContentEntry) => void,
): void {
  const path = contentListPath(backup);
  const bytes = hostFiles.read(path, CONTENT_SIZE_MAX);
  const { contentCrc } = backup.control;
  const crc = contentCrc === undefined ? undefined : crc32c(bytes);
  if (crc !== contentCrc) {
    // A cut-off line says more than a checksum does.
    parseContentList(bytes, { path, backupId: backup.id }, () => {});
    throw new IntegrityError(
      `Cannot use file list: CRC is ${crc}, the control file says ${contentCrc}`,
      { path, offset: 0, backupId: backup.id },
    );
  }
  parseContentList(bytes, { path, backupId: backup.id }, visit);
  // A list has tens of megabytes, and a program that only waits from now on collects no garbage.
  bytes.buffer.transfer(0);
}
