/**
 * The tables of an archive, by which its entries are looked up.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { PxarAccessor } from "#src/pxar/accessor.ts";
import type { ArchiveSources } from "#src/sources/pxar/archive_files.ts";

/** Opens the tables of an archive. @throws {FormatError} */
export function openAccessor({ name, source, payload }: ArchiveSources): PxarAccessor {
  return PxarAccessor.open(source, { name, payload });
}

/** The error for a path that an archive does not have. */
export function notFound(path: string, archive: string): StateError {
  return new StateError("not-found", `Cannot find "${path}" in "${archive}"`);
}
