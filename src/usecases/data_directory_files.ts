/**
 * Files that a data directory has in any tree, and what is read of them.
 *
 * @module
 */

import { decodeFileName } from "#src/bytes/file_name.ts";
import { UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { CONTROL_FILE_PATH } from "#src/sources/postgres_facts.ts";
import type { DirectoryNode, FileNode } from "#src/tree/node.ts";
import { findEntry } from "#src/tree/paths.ts";

/** `global/pg_control` of a data directory. */
export function controlFileOf(root: DirectoryNode): FileNode | undefined {
  const file = findEntry({ root }, CONTROL_FILE_PATH);
  return file?.kind === "file" ? file : undefined;
}

/** A file of a directory; undefined where there is none of that name. */
export function fileIn(directory: DirectoryNode, name: string): FileNode | undefined {
  const file = directory.lookup(name);
  return file?.kind === "file" ? file : undefined;
}

/** The whole text of a small file of a tree. @throws {UsageError} when it is larger */
export function readText(file: FileNode, sizeMax: number): string {
  return decodeFileName(readBytes(file, sizeMax));
}

/** As {@link readText}. */
export function readBytes(file: FileNode, sizeMax: number): Uint8Array<ArrayBuffer> {
  const { size } = file.attributes;
  if (size > sizeMax) throw new UsageError(`Cannot read a file of ${size} bytes as a whole`);
  return readPart(file, size, 0);
}

/** The end of the text of a file. */
export function readEnd(file: FileNode, sizeMax: number): string {
  const { size } = file.attributes;
  const count = Math.min(size, sizeMax);
  return decodeFileName(readPart(file, count, size - count));
}

function readPart(file: FileNode, size: number, offset: number): Uint8Array<ArrayBuffer> {
  const buffer = hostFiles.allocate(Math.max(1, size));
  const content = file.open();
  try {
    const count = content.readInto(buffer, 0, size, offset);
    return buffer.bytes.subarray(0, count);
  } finally {
    content.close();
  }
}
