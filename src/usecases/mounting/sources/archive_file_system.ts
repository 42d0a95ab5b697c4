/**
 * One FUSE worker's own view of a mounted archive.
 *
 * @module
 */

import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import type { OpenSource } from "#src/io/byte_source.ts";
import { openNativeSource } from "#src/io/files/native_source.ts";
import { openGated } from "#src/io/wait_gate.ts";
import type { WorkerContext } from "#src/mount/fuse_worker.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import { LateTree } from "#src/tree/late_tree.ts";
import type { Tree } from "#src/tree/node.ts";
import { serveTree } from "./served_tree.ts";
import type { ArchiveDescription } from "./archive_description.ts";
import { openSourcePair } from "../../archive/archive_files.ts";

/** Opens the view of this thread. */
export function openArchive(description: ArchiveDescription, context: WorkerContext): FileSystem {
  const openSource = openGated(openNativeSource, context.gate);
  const open = () => openArchiveTree(description, openSource);
  const tree = context.isReserve ? new LateTree(open) : open();
  return serveTree(tree, description, context);
}

/** The archive as a tree. @throws {FormatError} */
export function openArchiveTree(
  { path, payloadPath }: Pick<ArchiveDescription, "path" | "payloadPath">,
  openSource: OpenSource = openNativeSource,
): Tree {
  const { source, payload } = openSourcePair(path, payloadPath, openSource);
  try {
    return openPxarTree(source, {
      name: path,
      allocate: allocateNativeBuffer,
      payload,
    });
  } catch (error) {
    source.close();
    payload?.close();
    throw error;
  }
}
