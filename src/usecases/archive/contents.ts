/**
 * The contents of single files.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { readChecked } from "#src/transfer/content.ts";
import type { FileNode, Node } from "#src/tree/node.ts";
import { findEntries, joinPath, splitPath } from "#src/tree/paths.ts";
import type { ArchiveInput } from "#src/sources/pxar/archive_input.ts";
import { type NamedTree, notFound, type TreeInput } from "./trees.ts";

const BUFFER_SIZE = 1 << 20;

/**
 * Reads files one after another. The bytes given to `write` are overwritten after it returns.
 *
 * @throws {StateError} `not-found` when a path is not in the tree
 * @throws {OsError} EISDIR, EINVAL when there is no regular file at a path
 */
function readFilesOf(
  { tree, name }: NamedTree,
  paths: readonly string[],
  write: (bytes: Uint8Array) => void,
): void {
  const files = findEntries(tree, paths).map((node, index) => {
    const path = joinPath(splitPath(paths[index]!));
    if (node === undefined) throw notFound(path, name);
    requireRegularFile(path, node);
    return node as FileNode;
  });
  for (const file of files) {
    for (const piece of readChecked(file)) write(piece);
  }
}

/** As {@link readFilesOf}; from a pipe in the order of the archive. */
export function readFiles(
  input: TreeInput,
  paths: readonly string[],
  write: (bytes: Uint8Array) => void,
): void {
  if (input.archive?.isPipe === true) return readInOrder(input.archive, paths, write);
  using open = input.openTree();
  readFilesOf(open, paths, write);
}

function readInOrder(
  archive: ArchiveInput,
  paths: readonly string[],
  write: (bytes: Uint8Array) => void,
): void {
  using streams = archive.openStreams();
  const { name, payload } = streams;
  const decoder = new PxarDecoder(streams.source, { name, payload });
  const missing = new Set(paths.map((path) => joinPath(splitPath(path))));
  const buffer = new Uint8Array(BUFFER_SIZE);
  // To the end, so that whoever writes the pipe is not cut off.
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry" || !missing.delete(event.path)) continue;
    requireRegularFile(event.path, event.entry);
    let count: number;
    while ((count = decoder.readContent(buffer)) > 0) write(buffer.subarray(0, count));
  }
  for (const path of missing) throw notFound(path, name);
}

/** @throws {OsError} unless the entry is a regular file */
function requireRegularFile(path: string, entry: Node | PxarEntry | PxarHardlink): void {
  switch (entry.kind) {
    case "file":
      return;
    case "directory":
      throw new OsError(Errno.EISDIR, "read", path);
    case "symlink":
      throw new OsError(Errno.EINVAL, "read", path, {
        hint: `It is a symbolic link to "${entry.target}"`,
      });
    case "hardlink":
      throw new OsError(Errno.EINVAL, "read", path, {
        hint: `It is a hard link; from standard input ask for "/${entry.targetPath}"`,
      });
    default:
      throw new OsError(Errno.EINVAL, "read", path, { hint: `It is a ${entry.kind}` });
  }
}
