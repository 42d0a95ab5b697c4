/**
 * What only PostgreSQL needs of a mount, on top of a diff directory over any source.
 *
 * @module
 */

import { logger } from "#src/log/logger.ts";
import { openOverlay, type OverlayParts } from "#src/overlay/overlay.ts";
import { applySettings, type Setting } from "./server_settings.ts";

/** Directory of a data directory whose changes `noWal` forgets. */
const WAL_DIRECTORY = "pg_wal";

const log = logger("mount");

/** What is asked for a server. */
export interface PostgresProfile {
  /** What is written to the WAL is forgotten. */
  readonly noWal: boolean;
  readonly settings: readonly Setting[];
}

/** Directories whose changes are kept only while mounted. */
export function volatileDirectories({ noWal }: PostgresProfile): string[] {
  return noWal ? [WAL_DIRECTORY] : [];
}

/** Writes the settings of the server into the diff. @throws {OsError} */
export function writeSettings(
  { settings }: PostgresProfile,
  overlay: Omit<OverlayParts, "worker">,
): void {
  if (settings.length === 0) return;
  const fileSystem = openOverlay({ ...overlay, worker: 0 });
  try {
    const added = applySettings(fileSystem, settings);
    log.info("server settings written", { added });
  } finally {
    fileSystem.close();
  }
}
