/**
 * Where tablespaces of a golden catalog go when a mount of it is promoted.
 *
 * @module
 */

import { runCommand } from "#tests/support/process.ts";

/** A tablespace, and the directory that it gets. */
export interface PlacedTablespace {
  readonly oid: string;
  readonly path: string;
  /** Options of `promote`: it is named by where it was, every other one by its OID. */
  readonly options: readonly string[];
}

/** Those of a backup, beside a target; none where the backup has none. */
export async function placedTablespaces(
  catalog: string,
  backupId: string,
  target: string,
): Promise<PlacedTablespace[]> {
  const map = `${catalog}/backups/main/${backupId}/database/tablespace_map`;
  const { stdout } = await runCommand(["cat", map], { timeoutMs: 10_000, check: false });
  return [...stdout.matchAll(/^(\d+) (.*)$/gmu)].map(([, oid, former], index) => {
    const path = `${target}-${oid}`;
    return { oid: oid!, path, options: ["-T", `${index % 2 === 0 ? former : oid}=${path}`] };
  });
}
