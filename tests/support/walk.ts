/**
 * Manifests of mounted trees, made by a process of its own.
 *
 * @module
 */

import { fileURLToPath } from "node:url";
import { denoRunCommand, runCommand } from "#tests/support/process.ts";
import { type ManifestEntry, parseManifest } from "#tests/support/tree_manifest.ts";

const CHILD = fileURLToPath(new URL("./walk_child.ts", import.meta.url));

/** The manifest of `directory` as another process sees it. */
export async function walkInChild(
  directory: string,
  timeoutMs = 120_000,
): Promise<ManifestEntry[]> {
  const command = denoRunCommand(["--allow-ffi"], CHILD, [directory]);
  return parseManifest((await runCommand(command, { timeoutMs })).stdout);
}

/**
 * Digest of everything in a directory that must not change: names, modes, sizes, contents, link
 * targets. For proving that a backup store is the same before and after. Locks of readers are not
 * part of it: tests that run at the same time mount backups of the same catalog.
 */
export async function storeState(directory: string): Promise<string> {
  const entries = await walkInChild(directory);
  const kept = entries.filter(({ path }) => !path.endsWith("/backup_ro.pid"));
  return kept.map((entry) => JSON.stringify(entry)).join("\n");
}
