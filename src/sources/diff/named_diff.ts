/**
 * Diff directories by the names of sources.
 *
 * @module
 */

import { Failure, UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { mayUseFfi } from "#src/io/ffi_permission.ts";
import { readBinding } from "#src/overlay/diff_directory.ts";
import { parseSourceName } from "../name.ts";
import type { OpenSourceOptions, Source } from "../source.ts";
import { type DiffSourceRequest, LEVELS_MAX, openDiffSource } from "./diff_source.ts";

/** Opens the diff directory `place`. @throws what `openDiffSource()` throws */
export async function openNamedDiff(
  place: string,
  item: string | undefined,
  options: OpenSourceOptions,
  openSource: DiffSourceRequest["openSource"],
): Promise<Source> {
  if (item === undefined) {
    const path = absolutePath(place);
    return await openDiffSource({
      path,
      lockCatalog: options.lock ?? true,
      mountPath: undefined,
      options,
      openSource,
    });
  }
  throw new UsageError(`Cannot open "#${item}" of "${place}": a diff directory is one source`, {
    hint: "If the # belongs to the directory's name, write it %23",
  });
}

/**
 * The name of what the first of the diffs that lie over one another was made over, as far as their
 * records can be read and say it.
 */
export function nameOfBottom(place: string): string | undefined {
  if (!mayUseFfi) return undefined;
  let path = absolutePath(place);
  try {
    for (let level = 1; level <= LEVELS_MAX; level++) {
      const name = readBinding(path)?.source?.name;
      if (name === undefined) return undefined;
      const { kind, place } = parseSourceName(name);
      if (kind !== "diff") return name;
      path = place;
    }
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
  }
  return undefined;
}
