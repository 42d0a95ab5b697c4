/**
 * Archives by the names that users give.
 *
 * @module
 */

import { parseSourceName } from "#src/sources/name.ts";
import { STANDARD_STREAM } from "#src/sources/pxar/archive_files.ts";
import { type ArchiveInput, fileInput } from "#src/sources/pxar/archive_input.ts";

const INDEX_NAME = /\.[mp]?pxar\.didx$/;

/** Whether a file is the index of an archive, which lies in chunks. */
export function isArchiveIndex(path: string): boolean {
  return INDEX_NAME.test(path);
}

/**
 * The archive in a file, in chunks (where `path` is that of its index), or on standard input (`-`).
 *
 * @param payload path of the payload stream, where it is not found by name
 * @throws {OsError} when there is no such index
 * @throws {StateError} `not-found` when there are no chunks for it
 */
export async function archiveInput(
  path: string,
  payload: string | undefined,
): Promise<ArchiveInput> {
  if (!isArchiveIndex(path)) return fileInput(path, payload);
  const { indexInput } = await import("../datastore/index_input.ts");
  return indexInput(path);
}

/**
 * The archive on standard input, where the name of a source is that: `-`, or `pxar:-#PAYLOAD`.
 *
 * @throws {UsageError} when the name cannot be read
 */
export function standardInput(name: string): ArchiveInput | undefined {
  const { kind = "pxar", place, item } = parseSourceName(name);
  return place === STANDARD_STREAM && kind === "pxar" ? fileInput(place, item) : undefined;
}
