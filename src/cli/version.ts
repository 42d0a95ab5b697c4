/**
 * What the program says of its version.
 *
 * @module
 */

import { PROGRAM_VERSION } from "#src/usecases/program_version.ts";
import { buildKind } from "./build_kind.ts";

/** What `--version` prints: the version and the kind of executable. */
export function versionLine(): string {
  return `pbkfs ${PROGRAM_VERSION} (${buildKind()})`;
}
