/**
 * Going through the chunks of an index file piece by piece, for indexes of any size.
 *
 * @module
 */

import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { sha256Stream } from "#src/codecs/hashing.ts";
import { FormatError, IntegrityError, located } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { INDEX_HEADER_SIZE, viewOf } from "../format/chunk_index.ts";
import { readDynamicEnd, readDynamicLayout } from "../format/dynamic_index.ts";
import { readFixedLayout } from "../format/fixed_index.ts";

/** A multiple of the sizes of all entries, so that none is split. */
const PIECE_SIZE = 40 * 32 * 800;

/** What an index file describes. */
export interface IndexSummary {
  /** Bytes of the stream. */
  readonly size: number;
  /** Number of chunks. */
  readonly count: number;
  /** SHA-256 over all entries. */
  readonly checksum: ChunkDigest;
}

/**
 * Is shown a chunk: its digest is at `offset` of `bytes`, and it has `size` bytes in the stream.
 */
export type ChunkVisitor = (bytes: Uint8Array<ArrayBuffer>, offset: number, size: number) => void;

let pieceBuffer: NativeBuffer | undefined;

/** Whether a file of this name is an index. */
export function isIndexName(name: string): boolean {
  return name.endsWith(".didx") || name.endsWith(".fidx");
}

/**
 * Reads an index file, closes it, and shows its chunks in order. `visit` must not scan another one.
 *
 * @throws {FormatError} when it is none; chunks before the bad place were shown
 * @throws {IntegrityError} when it does not have the checksum that it states, after all chunks were
 *   shown
 * @throws {OsError} when it is not a regular file or cannot be read
 */
export function scanIndex(
  source: ByteSource,
  path: string,
  visit?: ChunkVisitor,
): IndexSummary {
  try {
    return located(() => ({ path }), () => scan(source, path, visit ?? (() => {})));
  } finally {
    source.close();
  }
}

function scan(source: ByteSource, path: string, visit: ChunkVisitor): IndexSummary {
  const buffer = pieceBuffer ??= hostFiles.allocate(PIECE_SIZE);
  const headerSize = source.readAt(buffer, 0, INDEX_HEADER_SIZE, 0);
  const header = buffer.bytes.subarray(0, headerSize);
  const isFixed = path.endsWith(".fidx");
  const fixed = isFixed ? readFixedLayout(header, source.size) : undefined;
  const layout = fixed ?? readDynamicLayout(header, source.size);
  const { count, entrySize, digestOffset, statedChecksum } = layout;
  const view = viewOf(buffer.bytes);
  const hash = sha256Stream();
  let end = 0;
  let position = 0;
  while (position < count) {
    const size = Math.min(PIECE_SIZE, (count - position) * entrySize);
    const offset = INDEX_HEADER_SIZE + position * entrySize;
    if (source.readAt(buffer, 0, size, offset) !== size) {
      throw new FormatError("Cannot read index: it became shorter", { path, offset });
    }
    hash.update(buffer.bytes.subarray(0, size));
    for (let entry = 0; entry < size; entry += entrySize) {
      const start = end;
      end = fixed === undefined
        ? readDynamicEnd(view, entry, start, position)
        : Math.min(start + fixed.chunkSize, fixed.size);
      visit(buffer.bytes, entry + digestOffset, end - start);
      position++;
    }
  }
  const checksum = digestOf(hash.digest());
  if (checksum !== statedChecksum) {
    throw new IntegrityError(
      `Cannot use index: its checksum is ${checksum}, its header says ${statedChecksum}`,
      { code: "checksum", path },
    );
  }
  return { size: end, count, checksum };
}
