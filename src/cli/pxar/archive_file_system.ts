/**
 * One FUSE worker's own view of a mounted archive.
 *
 * @module
 */

import { allocateNativeBuffer } from "#src/io/host.ts";
import { openHostFileSource } from "#src/io/host_file_source.ts";
import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import type { Tree } from "#src/tree/node.ts";
import { serveTree } from "../served_tree.ts";
import type { ArchiveDescription } from "./archive_description.ts";
import { openSourcePair } from "./archive_files.ts";

/** Opens the view of this thread. */
export function openArchive(description: ArchiveDescription, context: WorkerContext): FileSystem {
  return serveTree(openArchiveTree(description), description, context);
}

/** The archive as a tree. @throws {FormatError} */
export function openArchiveTree(
  { path, payloadPath }: Pick<ArchiveDescription, "path" | "payloadPath">,
): Tree {
  const { source, payload } = openSourcePair(path, payloadPath, openHostFileSource);
  return openPxarTree(source, {
    name: path,
    allocate: allocateNativeBuffer,
    ...(payload === undefined ? {} : { payload }),
  });
}
