/**
 * Archives in files by the names of sources.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import type { OpenSourceOptions, Source } from "../source.ts";
import { locateArchive, openPxarSource } from "./pxar_source.ts";

/**
 * Opens the archive in the file `place`. @throws what `openPxarSource()` throws
 */
export function openNamedArchive(
  place: string,
  item: string | undefined,
  options: OpenSourceOptions,
): Promise<Source> {
  return Promise.try(() => {
    if (item === undefined) {
      return openPxarSource(locateArchive(absolutePath(place), undefined), options);
    }
    throw new UsageError(`Cannot open "#${item}" of "${place}": an archive is one source`, {
      hint: "If the # belongs to the file's name, write it %23",
    });
  });
}
