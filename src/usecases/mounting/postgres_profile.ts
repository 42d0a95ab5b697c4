/**
 * What only PostgreSQL needs of a mount, on top of a diff directory over any source.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { logger } from "#src/log/logger.ts";
import { openOverlay, type OverlayParts } from "#src/overlay/overlay.ts";
import type { Tree } from "#src/tree/node.ts";
import type { Owner } from "#src/tree/attribute_override_tree.ts";
import { applySettings, type Setting } from "./server_settings.ts";

/** Directory of a data directory whose changes `noWal` forgets. */
const WAL_DIRECTORY = "pg_wal";

const log = logger("mount");

/** What is asked for a server. */
export interface PostgresProfile {
  /** What is written to the WAL is forgotten. */
  readonly noWal: boolean;
  readonly settings: readonly Setting[];
  /**
   * Who is to own the files; undefined: who owned them before. Only root can give files to others.
   */
  readonly owner: Owner | undefined;
}

/** Directories whose changes are kept only while mounted. @throws {UsageError} without such */
export function volatileDirectories({ noWal }: PostgresProfile, lower: Tree): string[] {
  if (!noWal) return [];
  if (lower.root.lookup(WAL_DIRECTORY)?.kind === "directory") return [WAL_DIRECTORY];
  throw new UsageError(
    `Cannot use \`noWal\`: there is no directory ${WAL_DIRECTORY}, so it is not a data directory`,
    { option: "noWal" },
  );
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
