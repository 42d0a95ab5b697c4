/**
 * Archives in files by the names of sources: `home.pxar`, or `home.mpxar#/elsewhere/home.ppxar`
 * where the payload stream of a split archive is not found by name.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { OpenSourceOptions, Source } from "../source.ts";
import { locateArchive, openPxarSource } from "./pxar_source.ts";

/**
 * Opens the archive in the file `place`.
 *
 * @param item path of its payload stream
 * @throws {UsageError} when there is no such payload stream
 * @throws what `openPxarSource()` throws
 */
export function openNamedArchive(
  place: string,
  item: string | undefined,
  options: OpenSourceOptions,
): Promise<Source> {
  return Promise.try(() => {
    const payloadPath = item === undefined ? undefined : absolutePath(item);
    if (payloadPath !== undefined && hostFiles.status(payloadPath) === undefined) {
      throw new UsageError(
        `Cannot open "#${item}" of "${place}": there is no such payload stream`,
        {
          hint: "If the # belongs to the file's name, write it %23",
        },
      );
    }
    return openPxarSource(locateArchive(absolutePath(place), payloadPath), options);
  });
}
