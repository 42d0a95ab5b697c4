/**
 * Whether a diff directory can become a directory of its own, and what of it goes where. Looks
 * only, so it can be asked while the diff is mounted.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { Binding } from "#src/overlay/binding.ts";
import { requireNoBranches } from "#src/overlay/branches.ts";
import { isHydrated } from "#src/overlay/hydration/hydrated_mark.ts";
import { LINKS_DIRECTORY_NAME } from "#src/overlay/linked_files.ts";
import { readProfileKeys, requireOwnWal } from "#src/sources/diff/profile_keys.ts";
import { layOut, type PromotedLayout } from "./tablespace_places.ts";
import { requirePlaces } from "./target_place.ts";

/** Where a diff goes. */
export interface PromotedPlaces {
  /** Missing or empty, on the file system of the diff. */
  readonly targetPath: string;
  /** Where tablespaces go, by OID or by where they were: missing or empty, on that file system. */
  readonly tablespaces: ReadonlyMap<string, string>;
}

/**
 * Decides where everything goes.
 *
 * @param diffPath absolute, without links
 * @param binding its record
 * @throws {UsageError} for places that cannot be used, and tablespaces that are not mapped
 * @throws {StateError} `not-hydrated` when the diff does not have everything; `has-branches`,
 *   `no-wal-used`; `exists` when something is at a place
 * @throws {OsError}
 */
export function planPromotion(
  diffPath: string,
  binding: Binding,
  { targetPath, tablespaces }: PromotedPlaces,
): PromotedLayout {
  requireNoBranches(diffPath, "promote");
  requireOwnWal(readProfileKeys(binding, diffPath));
  const nonce = Uint8Array.fromHex(binding.nonce);
  if (!hasEverything(diffPath, nonce)) throw notHydrated(diffPath);
  const layout = layOut(diffPath, binding, targetPath, tablespaces);
  return { ...layout, places: requirePlaces(layout.places, diffPath, binding.binding_id) };
}

function hasEverything(diffPath: string, nonce: Uint8Array): boolean {
  if (!isHydrated(diffPath, nonce)) return false;
  const links = `${diffPath}/${LINKS_DIRECTORY_NAME}`;
  return hostFiles.status(links) === undefined || hostFiles.entries(links).length === 0;
}

function notHydrated(diffPath: string): StateError {
  return new StateError(
    "not-hydrated",
    `Cannot promote "${diffPath}": it does not have everything of its source yet`,
    { hint: "Mount it, and hydrate it until that is complete" },
  );
}
