/**
 * Archives of trees, with patterns and reports as for those of directories.
 *
 * @module
 */

import { parseExcludeOptions } from "#src/pxar/exclude/pattern_list.ts";
import { CountingWriter } from "#src/pxar/builder/build_archive.ts";
import type { BuildOptions } from "#src/pxar/builder/options.ts";
import { type BuildReport, BuildReportBuilder } from "#src/pxar/builder/report.ts";
import type { Tree } from "#src/tree/node.ts";
import { withoutExcluded } from "./excluded.ts";
import { writeTree } from "./write_tree.ts";
import type { TreeWriter } from "./writer.ts";

/** What of {@link BuildOptions} has a meaning for a tree. */
export type TreeArchiveOptions = Pick<BuildOptions, "exclude" | "onEntry" | "onProgress">;

/**
 * Archives a tree as it is: no file in it excludes others, and what cannot be read ends the
 * archive.
 *
 * @throws {UsageError} when a pattern is bad
 * @throws what reading the tree throws
 */
export function archiveTree(
  tree: Tree,
  writer: TreeWriter,
  { exclude = [], onEntry, onProgress }: TreeArchiveOptions = {},
): BuildReport {
  const report = new BuildReportBuilder();
  const patterns = parseExcludeOptions(exclude);
  const isExcluding = patterns.length > 0;
  const shown = isExcluding ? withoutExcluded(tree, patterns, () => report.excludedCount++) : tree;
  let readBytes = 0;
  const tell = () => onProgress?.({ entryCount: report.entryCount, contentBytes: readBytes });
  report.sizes = writeTree(shown, writer, {
    entry(path, kind, size) {
      report.done(kind);
      report.contentBytes += size;
      onEntry?.(path, kind);
      tell();
    },
    bytes(count) {
      readBytes += count;
      tell();
    },
  });
  return report;
}

/** Goes through a tree like {@link archiveTree}, but reads no contents and writes nothing. */
export function planTree(tree: Tree, options: TreeArchiveOptions = {}): BuildReport {
  return archiveTree(tree, { startRoot: () => new CountingWriter() }, options);
}
