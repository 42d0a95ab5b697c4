/**
 * An archive in files for a mount.
 *
 * @module
 */

import { locateArchive, openPxarSource } from "#src/sources/pxar/pxar_source.ts";
import type { SourceToMount } from "./source_to_mount.ts";

/**
 * An archive as what a mount shows.
 *
 * @param payloadPath of the payload stream; undefined: found by name
 */
export function archiveToMount(
  archivePath: string,
  payloadPath: string | undefined,
): SourceToMount {
  const place = locateArchive(archivePath, payloadPath);
  const files = [place.path, place.payloadPath].filter((path) => path !== undefined);
  return {
    places: () => files.map((path) => ({ what: "archive", path })),
    open() {
      const source = openPxarSource(place);
      return Promise.resolve({ source, bound: () => source.identify() });
    },
  };
}
