/**
 * Tar archives by the names of sources.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import type { Source } from "../source.ts";
import { baseTarIn } from "./tar_files.ts";
import { openTarSource } from "./tar_source.ts";

/**
 * Opens the archive in the file `place`, or the set in that directory. @throws what
 * `openTarSource()` throws
 */
export async function openNamedTar(place: string, item: string | undefined): Promise<Source> {
  if (item !== undefined) {
    throw new UsageError(`Cannot open "#${item}" of "${place}": an archive is one source`, {
      hint: "If the # belongs to the file's name, write it %23",
    });
  }
  const path = hostFiles.realPath(absolutePath(place));
  if (!isDirectory(path)) return await openTarSource(path);
  const base = baseTarIn(path);
  if (base !== undefined) return await openTarSource(base);
  throw new UsageError(`Cannot open "${place}" as a tar archive: there is no base.tar in it`);
}
