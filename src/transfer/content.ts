/**
 * The content of one file: where it lies, its digest, whether two are the same.
 *
 * @module
 */

import { createHash } from "node:crypto";
import buffer from "node:buffer";
import { IntegrityError, UsageError } from "#src/errors.ts";
import { requireEntry } from "./paths.ts";
import type { PayloadRange, ReaderFile, TreeReader } from "./reader.ts";

const PIECE_SIZE = 256 << 10;

/**
 * The regular file at `path`.
 *
 * @throws {StateError} `not-found` when there is nothing
 * @throws {UsageError} when there is something else
 */
export function requireFile(reader: TreeReader, path: string): ReaderFile {
  const entry = requireEntry(reader, path);
  if (entry.kind === "file") return entry;
  throw new UsageError(`Cannot read "${path}": it is a ${entry.kind}, not a regular file`);
}

/**
 * Where the bytes of the file at `path` lie in the archive or its payload stream; undefined outside
 * of archives.
 *
 * @throws what {@link requireFile} throws
 */
export function payloadRangeOf(reader: TreeReader, path: string): PayloadRange | undefined {
  return requireFile(reader, path).payload;
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
  file: ReaderFile,
  offset = 0,
  length: number = Math.max(0, file.size - offset),
): Generator<Uint8Array, void, undefined> {
  const end = Math.min(file.size, offset + length);
  if (!(Number.isInteger(offset) && Number.isInteger(end) && offset >= 0 && length >= 0)) {
    throw new UsageError(`Cannot read ${length} bytes at ${offset} of a file: no range`);
  }
  if (offset >= end) return;
  const content = file.open();
  try {
    const buffer = new Uint8Array(Math.min(PIECE_SIZE, end - offset));
    for (let position = offset; position < end;) {
      const target = buffer.subarray(0, Math.min(buffer.length, end - position));
      const count = content.readAt(target, position);
      if (count === 0) throw shortContent(file, position);
      yield target.subarray(0, count);
      position += count;
    }
  } finally {
    content.close();
  }
}

function shortContent(file: ReaderFile, position: number): IntegrityError {
  return new IntegrityError(
    `Cannot read content: ends after ${position} of ${file.size} bytes`,
  );
}

/**
 * SHA-256 of a file's content, without extracting it.
 *
 * @throws what {@link readPieces} throws
 */
export function digestFile(file: ReaderFile): Uint8Array {
  const hash = createHash("sha256");
  for (const piece of readPieces(file)) hash.update(piece);
  return new Uint8Array(hash.digest());
}

/** Whether two files have the same bytes. Reads no further than to the first difference. */
export function isSameContent(a: ReaderFile, b: ReaderFile): boolean {
  if (a.size !== b.size) return false;
  if (a.origin === b.origin && a.id === b.id) return true;
  const right = b.open();
  try {
    const target = buffer.Buffer.alloc(Math.min(PIECE_SIZE, b.size));
    let offset = 0;
    for (const piece of readPieces(a)) {
      let filled = 0;
      while (filled < piece.length) {
        const count = right.readAt(target.subarray(filled, piece.length), offset + filled);
        if (count === 0) throw shortContent(b, offset + filled);
        filled += count;
      }
      if (target.compare(piece, 0, piece.length, 0, piece.length) !== 0) return false;
      offset += piece.length;
    }
    return true;
  } finally {
    right.close();
  }
}
