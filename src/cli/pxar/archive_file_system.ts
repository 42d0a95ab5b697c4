/**
 * One FUSE worker's own view of a mounted archive.
 *
 * @module
 */

import { allocateNativeBuffer } from "#src/io/host.ts";
import { openHostFileSource } from "#src/io/host_file_source.ts";
import { TreeFileSystem } from "#src/mount/tree_file_system.ts";
import { openPxarTree } from "#src/pxar/pxar_tree.ts";
import {
  type AttributesSlot,
  type EntrySlot,
  type FileSystem,
  ROOT_NODE_ID,
  type StatfsSlot,
} from "#src/tree/file_system.ts";
import type { Tree } from "#src/tree/node.ts";
import { SERVING_PROCESS_XATTR } from "../serving_process.ts";
import type { ArchiveDescription } from "./archive_description.ts";
import { openSourcePair } from "./archive_files.ts";

const BLOCK_SIZE = 4096;

/** Opens the view of this thread. */
export function openArchive(description: ArchiveDescription): FileSystem {
  return new ArchiveFileSystem(openArchiveTree(description), description);
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

/** Adds what the tree does not know: how many names files have, the archive's size, the process that serves it. */
class ArchiveFileSystem extends TreeFileSystem {
  readonly #description: ArchiveDescription;

  constructor(tree: Tree, description: ArchiveDescription) {
    super(tree);
    this.#description = description;
  }

  override lookup(parentId: number, name: string, out: EntrySlot): number {
    const result = super.lookup(parentId, name, out);
    if (result === 0 && out.nodeId !== 0) this.#fillLinkCount(out.attributes);
    return result;
  }

  override getattr(nodeId: number, out: AttributesSlot): number {
    const result = super.getattr(nodeId, out);
    if (result === 0) this.#fillLinkCount(out);
    return result;
  }

  override statfs(out: StatfsSlot): number {
    super.statfs(out);
    out.blockSizeBytes = BLOCK_SIZE;
    out.blocks = Math.ceil(this.#description.size / BLOCK_SIZE);
    return 0;
  }

  override getxattr(nodeId: number, name: string): Uint8Array | number {
    if (nodeId === ROOT_NODE_ID && name === SERVING_PROCESS_XATTR) {
      return new TextEncoder().encode(String(this.#description.pid));
    }
    return super.getxattr(nodeId, name);
  }

  #fillLinkCount(attributes: AttributesSlot): void {
    // A file's node id is one above its id in the tree.
    const count = this.#description.linkCounts.get(attributes.ino - 1);
    if (count !== undefined) attributes.nlink = count;
  }
}
