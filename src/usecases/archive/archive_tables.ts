/**
 * The tables of an archive, by which its entries are looked up.
 *
 * @module
 */

import { PxarAccessor } from "#src/pxar/accessor.ts";
import type { ArchiveSources } from "#src/sources/pxar/archive_files.ts";

/** Opens the tables of an archive. @throws {FormatError} */
export function openAccessor({ name, source, payload }: ArchiveSources): PxarAccessor {
  return PxarAccessor.open(source, { name, payload });
}
