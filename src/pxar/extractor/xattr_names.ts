/**
 * Which extended attributes are restored.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";
import { isStoredXattr } from "#src/tree/metadata.ts";

/** Longest name that Linux knows, in bytes. */
const NAME_SIZE_MAX = 255;

/** Whether an archive may carry an xattr of that name. */
export function isRestoredXattr(name: string): boolean {
  return isStoredXattr(name) && encodeFileName(name).length <= NAME_SIZE_MAX;
}
