/**
 * What a restore makes, as the fixtures' manifests have it, with what their README says may differ
 * made equal.
 *
 * @module
 */

import assert from "node:assert/strict";
import { type ManifestEntry, parseManifest } from "#tests/support/tree_manifest.ts";

/**
 * Files that a restore writes on its own account: their content, or that they are there, is not the
 * backup's.
 */
const RESTORE_ADDS = new Set(["recovery.signal", "standby.signal", "probackup_recovery.conf"]);

/** Reads a manifest of a fixture. */
export function readManifest(path: string): ManifestEntry[] {
  return parseManifest(Deno.readTextFileSync(path));
}

/** The expected entries by path, with what the fixtures' README says may differ made equal. */
export function expectedTree(entries: readonly ManifestEntry[]): Map<string, ManifestEntry> {
  const expected = new Map<string, ManifestEntry>();
  for (const entry of entries) {
    if (RESTORE_ADDS.has(entry.path)) continue;
    expected.set(entry.path, normalized(entry));
  }
  return expected;
}

/** What is compared of an entry. */
export function normalized(entry: ManifestEntry): ManifestEntry {
  const { path, mode, type } = entry;
  // Restore appends recovery settings with the time of the restore.
  if (path === "postgresql.auto.conf") return { path, mode, type };
  // Restore leaves this mode to the umask; the backup lists 600.
  if (path === "global/pg_control") return { ...entry, mode: "600" };
  // The restored links lead to where the tablespaces were mapped to.
  if (type === "link") return { path, mode, type };
  return entry;
}

/** Fails with the paths that differ. */
export function assertSameTree(
  shown: ReadonlyMap<string, ManifestEntry>,
  expected: ReadonlyMap<string, ManifestEntry>,
): void {
  const differences: string[] = [];
  for (const path of new Set([...shown.keys(), ...expected.keys()])) {
    const [got, wanted] = [JSON.stringify(shown.get(path)), JSON.stringify(expected.get(path))];
    if (got !== wanted) differences.push(`${path}: ${got}, expected ${wanted}`);
  }
  assert.deepEqual(differences, []);
}
