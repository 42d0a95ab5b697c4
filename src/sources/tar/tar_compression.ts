/**
 * Compressed tar archives: what they are compressed by, and their contents in a spool.
 *
 * Nothing in a compressed stream can be read without all that is before it. So the archive is
 * expanded once, when it is opened, into a file without a name in the directory for temporary files
 * (TMPDIR, else /tmp), which goes with whoever opened it. That costs its full size on the disk, and
 * the time that the program of that compression takes.
 *
 * @module
 */

import {
  constants,
  createGunzip,
  createZstdDecompress,
  gunzipSync,
  zstdDecompressSync,
} from "node:zlib";
import { Readable, type Transform } from "node:stream";
import * as host from "#ffi/libc/calls.ts";
import { Failure, FormatError, located } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { Spool } from "#src/io/files/spool.ts";
import { expandLz4, lz4Preview } from "#src/codecs/lz4_frame.ts";
import { isHeader, TAR_BLOCK_SIZE } from "#src/tar/format/header.ts";
import { zstdFrames } from "#src/codecs/zstd_frames.ts";

/** How an archive is compressed. */
export type Compression = "gzip" | "zstd" | "lz4";

/** What an archive was expanded into. */
export interface SpoolFile {
  readonly fd: number;
  readonly sizeBytes: number;
}

const MAGICS: readonly (readonly [magic: string, compression: Compression])[] = [
  ["1f8b08", "gzip"],
  ["28b52ffd", "zstd"],
  ["04224d18", "lz4"],
];

const PIECE_SIZE = 1 << 20;
/** Of a frame, compressed. */
const LZ4_BLOCK_SIZE_MAX = 4 << 20;

/** How a file is compressed, by its first bytes; undefined when it is not, or otherwise. */
export function compressionOf(head: Uint8Array): Compression | undefined {
  const hex = head.subarray(0, 4).toHex();
  return MAGICS.find(([magic]) => hex.startsWith(magic))?.[1];
}

/** The beginning of what the beginning of a file expands to. */
const PREVIEWS: Readonly<
  Record<Compression, (head: Uint8Array<ArrayBuffer>) => Uint8Array>
> = {
  gzip: (head) => gunzipSync(head, { finishFlush: constants.Z_SYNC_FLUSH }),
  zstd: (head) => zstdDecompressSync(head),
  lz4: (head) => lz4Preview(head, TAR_BLOCK_SIZE),
};

/** Behind the stream of a gzip file; of a zstd frame the last half of it. */
const TRAILER_SIZE = 8;

/** Whether a tar archive is behind the first bytes of a compressed file. */
export function isCompressedTar(head: Uint8Array<ArrayBuffer>): boolean {
  const compression = compressionOf(head);
  if (compression === undefined) return false;
  // A small archive is all in there, and its checksum may be what is damaged.
  return [head, head.subarray(0, -TRAILER_SIZE)].some((bytes) => {
    try {
      return isHeader(PREVIEWS[compression](bytes));
    } catch {
      // The runtime has no other way to say that this is no such stream.
      return false;
    }
  });
}

/**
 * Expands an archive into a spool.
 *
 * @param path of it, for messages
 * @returns the descriptor of the spool, which the caller closes, and its length
 * @throws {FormatError} when it is damaged
 * @throws {LimitError} when it is larger than what is free on the disk
 * @throws {OsError}
 */
export async function expandToSpool(
  source: ByteSource,
  compression: Compression,
  path: string,
): Promise<SpoolFile> {
  const spool = new Spool(`The content of "${path}"`);
  try {
    if (compression === "lz4") pourLz4(source, spool, path);
    else {
      const streams = compression === "gzip"
        ? [{ start: 0, end: source.size, expander: createGunzip() }]
        : zstdStreams(source, path);
      for (const { start, end, expander } of streams) {
        await pour(piecesOf(source, start, end), expander, spool, path);
      }
    }
    return { fd: spool.fd, sizeBytes: spool.position };
  } catch (error) {
    spool[Symbol.dispose]();
    throw error;
  }
}

function* zstdStreams(source: ByteSource, path: string) {
  // The runtime's decompressor ends with the first frame.
  for (const { start, end } of zstdFrames(source, path, host.allocateNativeBuffer)) {
    yield { start, end, expander: createZstdDecompress() };
  }
}

function* piecesOf(source: ByteSource, start: number, end: number): Iterable<Uint8Array> {
  const buffer = host.allocateNativeBuffer(PIECE_SIZE);
  for (let offset = start; offset < end;) {
    const count = source.readAt(buffer, 0, Math.min(PIECE_SIZE, end - offset), offset);
    if (count === 0) return;
    yield buffer.bytes.slice(0, count);
    offset += count;
  }
}

async function pour(
  pieces: Iterable<Uint8Array>,
  expander: Transform,
  spool: Spool,
  path: string,
): Promise<void> {
  try {
    const input = Readable.from(pieces);
    input.on("error", (error) => expander.destroy(error));
    for await (const bytes of input.pipe(expander)) spool.write(bytes as Uint8Array);
  } catch (cause) {
    if (cause instanceof Failure) throw cause;
    throw new FormatError("Cannot read tar archive: its compressed stream is damaged", {
      path,
      cause,
    });
  }
}

function pourLz4(source: ByteSource, spool: Spool, path: string): void {
  const buffer = host.allocateNativeBuffer(LZ4_BLOCK_SIZE_MAX);
  let offset = 0;
  const read = (sizeBytes: number) => {
    const count = source.readAt(buffer, 0, sizeBytes, offset);
    offset += count;
    return buffer.bytes.subarray(0, count);
  };
  located(() => ({ path, offset }), () => {
    for (const bytes of expandLz4(read)) spool.write(bytes);
  });
}
