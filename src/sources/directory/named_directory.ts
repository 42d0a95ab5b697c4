/**
 * Directories by the names of sources.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { Source } from "../source.ts";
import { openDirectorySource } from "./directory_source.ts";

/** Opens the directory `place`, or what a link of that name leads to. @throws {OsError} */
export function openNamedDirectory(place: string, item: string | undefined): Promise<Source> {
  return Promise.try(() => {
    if (item === undefined) return openDirectorySource(hostFiles.realPath(absolutePath(place)));
    throw new UsageError(`Cannot open "#${item}" of "${place}": a directory is one source`, {
      hint: "If the # belongs to the directory's name, write it %23",
    });
  });
}
