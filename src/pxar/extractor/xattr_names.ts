/**
 * Which extended attributes are restored.
 *
 * @module
 */

import { encodeFileName } from "#src/bytes/file_name.ts";

/** Longest name that Linux knows, in bytes. */
const NAME_SIZE_MAX = 255;

/** Whether an archive may carry an xattr of that name. */
export function isRestoredXattr(name: string): boolean {
  const isKnown = name.startsWith("user.") || name.startsWith("trusted.") ||
    name === "security.NTACL";
  return isKnown && encodeFileName(name).length <= NAME_SIZE_MAX;
}
