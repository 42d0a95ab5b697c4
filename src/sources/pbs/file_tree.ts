/**
 * One file as a tree: a directory with nothing else in it.
 *
 * @module
 */

import type { ByteSource } from "#src/io/byte_source.ts";
import {
  type Attributes,
  type DirectoryNode,
  type FileNode,
  FileType,
  type Timestamp,
  type Tree,
} from "#src/tree/node.ts";

const ROOT_ID = 1;
const FILE_ID = 2;
const NO_XATTRS: ReadonlyMap<string, Uint8Array> = new Map();

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
export function fileTree(source: ByteSource, name: string, facts: FileTreeAttributes): Tree {
  const attributes = (mode: number, size: number): Attributes => {
    return { ...facts, mode, size, nlink: 1, rdev: 0 };
  };
  const file: FileNode = {
    kind: "file",
    id: FILE_ID,
    attributes: {
      ...attributes(FileType.FILE | 0o400, source.size),
      dataBytes: source.zeros?.countData(0, source.size) ?? source.size,
    },
    xattrs: () => NO_XATTRS,
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
    kind: "directory",
    id: ROOT_ID,
    attributes: attributes(FileType.DIRECTORY | 0o500, 0),
    xattrs: () => NO_XATTRS,
    lookup: (wanted) => wanted === name ? file : undefined,
    entries: () => [{ name, node: file }],
  };
  return {
    root,
    nodeById: (id) => id === ROOT_ID ? root : id === FILE_ID ? file : undefined,
    close: () => source.close(),
  };
}
