/**
 * One file as a tree: a directory with nothing else in it.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import { metadataFromXattrs, NO_XATTRS } from "#src/tree/metadata.ts";
import {
  type Attributes,
  type DirectoryNode,
  type FileNode,
  FileType,
  type MountableTree,
  type Timestamp,
} from "#src/tree/node.ts";

const ROOT_ID = 1;
const FILE_ID = 2;

/** Whose the file is and how old. */
export interface FileTreeAttributes {
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
}

/**
 * Shows `source` as the file `name`, which only its owner can read. Closing the tree closes the
 * source.
 */
export function fileTree(
  source: ByteSource,
  name: string,
  facts: FileTreeAttributes,
): MountableTree {
  const base = (id: number, mode: number, size: number) => {
    const attributes: Attributes = {
      ...facts,
      mode,
      size,
      dataBytes: source.zeros?.countData(0, size) ?? size,
      nlink: 1,
      rdev: 0,
    };
    return {
      origin: source,
      id,
      attributes,
      metadata: metadataFromXattrs(attributes, NO_XATTRS),
      xattrs: () => NO_XATTRS,
    };
  };
  const file: FileNode = {
    ...base(FILE_ID, FileType.FILE | 0o400, source.size),
    kind: "file",
    linkCount: 1,
    open: () => ({
      readInto(target, start, size, offset) {
        if (offset >= source.size) return 0;
        return source.readAt(target, start, Math.min(size, source.size - offset), offset);
      },
      nextData: (offset) => source.zeros?.nextData(offset) ?? offset,
      nextHole: (offset) => source.zeros?.nextHole(offset) ?? source.size,
      close() {},
    }),
  };
  const root: DirectoryNode = {
    ...base(ROOT_ID, FileType.DIRECTORY | 0o500, 0),
    kind: "directory",
    lookup: (wanted) => wanted === name ? file : undefined,
    entries: () => [{ name, node: file }],
  };
  return {
    root,
    // Whoever asks for the image gives it an owner and a time.
    knownFields: new Set(),
    nodeById: (id) => id === ROOT_ID ? root : id === FILE_ID ? file : undefined,
    close: () => source.close(),
  };
}
