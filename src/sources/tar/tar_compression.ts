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
import { environmentVariable } from "#ffi/libc/local_time.ts";
import { OPEN_TMPFILE } from "#ffi/libc/metadata.ts";
import { Failure, FormatError, LimitError, located, OsError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
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
/** A spool takes at most this part of the space that is free when it is begun. */
const SPACE_SHARE = 0.8;

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
  const directory = environmentVariable("TMPDIR") || "/tmp";
  const flags = OPEN_TMPFILE | host.OpenFlag.RDWR;
  const fd = host.unwrap(host.open(directory, flags, 0o600), "make a file in", directory);
  try {
    const spool = new Spool(fd, directory, path);
    if (compression === "lz4") pourLz4(source, spool, path);
    else {
      const streams = compression === "gzip"
        ? [{ start: 0, end: source.size, expander: createGunzip() }]
        : zstdStreams(source, path);
      for (const { start, end, expander } of streams) {
        await pour(piecesOf(source, start, end), expander, spool, path);
      }
    }
    return { fd, sizeBytes: spool.sizeBytes };
  } catch (error) {
    host.close(fd);
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
    for await (const bytes of input.pipe(expander)) spool.append(bytes as Uint8Array);
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
    for (const bytes of expandLz4(read)) spool.append(bytes);
  });
}

/** A file without a name. */
class Spool {
  sizeBytes = 0;
  readonly #fd: number;
  readonly #directory: string;
  readonly #path: string;
  readonly #sizeMax: number;

  constructor(fd: number, directory: string, path: string) {
    this.#fd = fd;
    this.#directory = directory;
    this.#path = path;
    const space = host.statvfs(fd);
    if (typeof space === "number") throw new OsError(-space, "look at", directory);
    this.#sizeMax = Math.floor(space.blocksAvailable * space.blockSizeBytes * SPACE_SHARE);
  }

  append(bytes: Uint8Array): void {
    if (this.sizeBytes + bytes.length > this.#sizeMax) {
      throw new LimitError(
        `"${this.#path}" expands to more than ${this.#sizeMax} bytes, which are four fifths of ` +
          `what is free in "${this.#directory}"`,
        { hint: "Let TMPDIR name a directory with more space" },
      );
    }
    const buffer = host.nativeBufferOf(bytes as Uint8Array<ArrayBuffer>);
    const result = host.pwriteFully(this.#fd, buffer.address, bytes.length, this.sizeBytes);
    host.unwrap(result, "write", this.#directory);
    this.sizeBytes += bytes.length;
  }
}
