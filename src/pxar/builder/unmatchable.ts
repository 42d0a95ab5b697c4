/**
 * Exclude patterns that can match nothing, which is probably a mistake of their author.
 *
 * @module
 */

import { absolutePath } from "#src/io/absolute_path.ts";
import { HostStat } from "#ffi/libc/calls.ts";
import type { BuildReportBuilder } from "./report.ts";
import type { SourceDirectory } from "./source.ts";

/**
 * Reports patterns of the caller that begin with the path of the source on this machine, or with
 * `./`: the paths that are compared begin at the source, with a slash.
 *
 * @param path of the source
 */
export function reportUnmatchable(
  exclude: readonly string[],
  path: string,
  root: SourceDirectory,
  report: BuildReportBuilder,
): void {
  for (const written of exclude) {
    const pattern = written.replace(/^!/u, "");
    const meant = meantBy(pattern, path, root);
    if (meant === undefined) continue;
    report.add(
      "exclude-pattern",
      "/",
      `Pattern ${JSON.stringify(pattern)} matches nothing: paths begin at the directory that is ` +
        `archived; ${JSON.stringify(meant)} is what it would be`,
    );
  }
}

/** The pattern that was meant; undefined for one that may match something. */
function meantBy(pattern: string, path: string, root: SourceDirectory): string | undefined {
  if (/^(?:\.\/)+/u.test(pattern)) return pattern.replace(/^(?:\.\/+)+/u, "/");
  if (!pattern.startsWith("/")) return undefined;
  const source = absolutePath(path);
  if (source === "/" || !`${pattern}/`.startsWith(`${source}/`)) return undefined;
  // The same path may be there once more, below the source.
  const isThere = root.stat(source.split("/")[1]!, new HostStat()) >= 0;
  return isThere ? undefined : pattern.slice(source.length) || "/";
}
