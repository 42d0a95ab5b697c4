/**
 * The program's version, from the one place that has it.
 *
 * @module
 */

import { buildKind } from "./build_kind.ts";
import configuration from "#version" with { type: "json" };

/** Version of the program. */
export const PROGRAM_VERSION: string = configuration.version;

/** What `--version` prints: the version and the kind of executable. */
export function versionLine(): string {
  return `pbkfs ${PROGRAM_VERSION} (${buildKind()})`;
}
