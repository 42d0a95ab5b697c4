/**
 * The content of one file: where it lies, its digest, whether two are the same.
 *
 * @module
 */

import { createHash } from "node:crypto";
import buffer from "node:buffer";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { IntegrityError, UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import type { PxarContent } from "#src/pxar/new_entry.ts";
import { ContentChecksum } from "#src/tree/content_checksum.ts";
import type { FileNode, PayloadRange, Tree } from "#src/tree/node.ts";
import { requireEntry } from "#src/tree/paths.ts";

const PIECE_SIZE = 256 << 10;

/**
 * The regular file at `path`.
 *
 * @throws {StateError} `not-found` when there is nothing
 * @throws {UsageError} when there is something else
 */
export function requireFile(tree: Tree, path: string): FileNode {
  const entry = requireEntry(tree, path);
  if (entry.kind === "file") return entry;
  throw new UsageError(`Cannot read "${path}": it is a ${entry.kind}, not a regular file`);
}

/**
 * Where the bytes of the file at `path` lie in the archive or its payload stream; undefined outside
 * of archives.
 *
 * @throws what {@link requireFile} throws
 */
export function payloadRangeOf(tree: Tree, path: string): PayloadRange | undefined {
  return requireFile(tree, path).payload;
}

/**
 * Reads a range of a file piece by piece. The pieces are views of one buffer: each is valid until
 * the next one.
 *
 * @param length bytes from `offset` on; to the end of the file unless given
 * @throws {IntegrityError} when the file is shorter than its size says
 * @throws {UsageError} when offset and length are no range
 */
export function* readPieces(
  file: FileNode,
  offset = 0,
  length: number = Math.max(0, file.attributes.size - offset),
): Generator<Uint8Array, void, undefined> {
  const end = Math.min(file.attributes.size, offset + length);
  if (!(Number.isInteger(offset) && Number.isInteger(end) && offset >= 0 && length >= 0)) {
    throw new UsageError(`Cannot read ${length} bytes at ${offset} of a file: no range`);
  }
  if (offset >= end) return;
  const content = file.open();
  try {
    const target = addressed(new Uint8Array(Math.min(PIECE_SIZE, end - offset)));
    for (let position = offset; position < end;) {
      const size = Math.min(target.bytes.length, end - position);
      const count = content.readInto(target, 0, size, position);
      if (count === 0) throw shortContent(file, position);
      yield target.bytes.subarray(0, count);
      position += count;
    }
  } finally {
    content.close();
  }
}

/**
 * Reads all of a file as {@link readPieces} does, and compares it with the checksum that its backup
 * has of it, if any: before the last piece is given out.
 *
 * @throws {IntegrityError} when it is not the same
 */
export function* readChecked(file: FileNode): Generator<Uint8Array, void, undefined> {
  const checksum = ContentChecksum.of(file);
  let offset = 0;
  for (const piece of readPieces(file)) {
    checksum?.add(piece, offset);
    offset += piece.length;
    yield piece;
  }
}

function shortContent(file: FileNode, position: number): IntegrityError {
  return new IntegrityError(
    `Cannot read content: ends after ${position} of ${file.attributes.size} bytes`,
  );
}

/**
 * SHA-256 of a file's content, without extracting it.
 *
 * @throws what {@link readPieces} throws
 */
export function digestFile(file: FileNode): Uint8Array {
  const hash = createHash("sha256");
  for (const piece of readPieces(file)) hash.update(piece);
  return new Uint8Array(hash.digest());
}

/**
 * Opens the content of a file for a writer. What is read from the beginning to the end is compared
 * with the checksum that its backup has of it.
 *
 * @param onRead hears of bytes that were read
 */
export function contentOf(
  file: FileNode,
  onRead: (count: number) => void = () => {},
): PxarContent {
  const content = file.open();
  const checksum = ContentChecksum.of(file);
  return {
    readAt(target, offset) {
      const count = content.readInto(addressed(target), 0, target.length, offset);
      checksum?.add(target, offset, count);
      onRead(count);
      return count;
    },
    close: () => content.close(),
  };
}

/** With an address where there can be one: some trees read by system calls. */
function addressed(bytes: Uint8Array): NativeBuffer {
  return hostFiles.bufferOf(bytes as Uint8Array<ArrayBuffer>);
}

/** Whether two files have the same bytes. Reads no further than to the first difference. */
export function isSameContent(a: FileNode, b: FileNode): boolean {
  if (a.attributes.size !== b.attributes.size) return false;
  if (a.origin === b.origin && a.id === b.id) return true;
  const right = b.open();
  try {
    const bytes = buffer.Buffer.alloc(Math.min(PIECE_SIZE, b.attributes.size));
    const target = addressed(bytes);
    let offset = 0;
    for (const piece of readPieces(a)) {
      let filled = 0;
      while (filled < piece.length) {
        const size = piece.length - filled;
        const count = right.readInto(target, filled, size, offset + filled);
        if (count === 0) throw shortContent(b, offset + filled);
        filled += count;
      }
      if (bytes.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
      offset += piece.length;
    }
    return true;
  } finally {
    right.close();
  }
}
