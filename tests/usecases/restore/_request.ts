/** A request for a restore with nothing special. */

import type { RestoreRequest } from "#src/usecases/restore/restore.ts";

/** Restores to `targetPath`, but for `more`. */
export function restoreRequest(
  targetPath: string,
  more: Partial<RestoreRequest> = {},
): RestoreRequest {
  return {
    targetPath,
    threadCount: 2,
    isValidating: true,
    isDurable: true,
    isIncremental: false,
    force: false,
    tablespaces: new Map(),
    externalDirectories: new Map(),
    skipsExternalDirectories: false,
    archiveCommand: () => "false",
    ...more,
  };
}
