/**
 * The contents of single files of an archive.
 *
 * @module
 */

import { plainBuffer } from "#src/bytes/native_buffer.ts";
import { Errno, OsError } from "#src/errors.ts";
import type { PxarAccessor, PxarNode } from "#src/pxar/accessor.ts";
import { PxarDecoder } from "#src/pxar/decoder.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import { joinPath, splitPath } from "#src/tree/paths.ts";
import type { ArchiveInput } from "./archive_input.ts";
import { notFound, openAccessor } from "./archive_tables.ts";

const BUFFER_SIZE = 1 << 20;

/** Which files to read. */
export interface ContentsRequest {
  readonly archive: ArchiveInput;
  readonly paths: readonly string[];
}

/**
 * Reads files one after another; from a pipe in the order of the archive. The bytes given to
 * `write` are overwritten after it returns.
 *
 * @throws {StateError} `not-found` when a path is not in the archive
 * @throws {OsError} EISDIR, EINVAL when there is no regular file at a path
 */
export function readFiles(request: ContentsRequest, write: (bytes: Uint8Array) => void): void {
  const paths = request.paths.map((path) => joinPath(splitPath(path)));
  if (request.archive.isPipe) return readInOrder(request, paths, write);
  using files = request.archive.openFiles();
  const accessor = openAccessor(files);
  const nodes = accessor.lookupAll(paths).map((node, index) => {
    if (node === undefined) throw notFound(paths[index]!, files.name);
    checkFile(paths[index]!, node.entry);
    return node;
  });
  for (const node of nodes) readNode(accessor, node, write);
}

function readNode(
  accessor: PxarAccessor,
  node: PxarNode,
  write: (bytes: Uint8Array) => void,
): void {
  const buffer = plainBuffer(BUFFER_SIZE);
  for (let offset = 0;;) {
    const count = accessor.readContent(node, offset, buffer, 0, BUFFER_SIZE);
    if (count === 0) return;
    write(buffer.bytes.subarray(0, count));
    offset += count;
  }
}

function readInOrder(
  request: ContentsRequest,
  paths: readonly string[],
  write: (bytes: Uint8Array) => void,
): void {
  using streams = request.archive.openStreams();
  const { name, payload } = streams;
  const decoder = new PxarDecoder(streams.source, {
    name,
    payload,
  });
  const missing = new Set(paths);
  const buffer = new Uint8Array(BUFFER_SIZE);
  // To the end, so that whoever writes the pipe is not cut off.
  for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
    if (event.type !== "entry" || !missing.delete(event.path)) continue;
    checkFile(event.path, event.entry);
    let count: number;
    while ((count = decoder.readContent(buffer)) > 0) write(buffer.subarray(0, count));
  }
  for (const path of missing) throw notFound(path, name);
}

/** @throws {OsError} unless the entry is a regular file */
function checkFile(path: string, entry: PxarEntry | PxarHardlink): void {
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
