/**
 * A directory of the host as the target of an extraction.
 *
 * @module
 */

import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { DescriptorTarget } from "./descriptor_target.ts";
import type { ExtractTarget } from "./extract_target.ts";
import type { TargetOptions } from "./options.ts";
import { PlainTarget } from "./plain_target.ts";

/**
 * Opens a directory as target, which is made if need be. Where FFI is allowed more is restored, and
 * nothing can lead out of the directory.
 *
 * @throws {OsError}
 */
export function openDirectoryTarget(path: string, options: TargetOptions = {}): ExtractTarget {
  return (mayUseFfi ? DescriptorTarget : PlainTarget).open(path, options);
}
