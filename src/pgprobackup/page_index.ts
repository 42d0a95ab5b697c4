/**
 * Where the valid version of each block of a data file is, merged over the chain.
 *
 * Built for a file at the first read, from the header maps of the backups. A backup without a map
 * (none in the directory, or no entry in the list) is scanned by its record headers, eight bytes a
 * page. The pages themselves are not read.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Codecs } from "#src/codecs/codecs.ts";
import { FormatError, IntegrityError } from "#src/errors.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import type { PageCompression } from "./format/content.ts";
import { mergePageMap, PAGE_MAP_ELEMENT_SIZE, PAYLOAD_SIZE_BITS } from "./format/page_map.ts";
import {
  isPayloadSize,
  PAGE_SIZE,
  RECORD_HEADER_SIZE,
  recordBlock,
  recordPayloadSize,
} from "./format/page_stream.ts";
import { openStored, readStored, type StoredFile } from "./stored_file.ts";

/** One backup's pages of one data file. */
export interface PageStream extends StoredFile {
  readonly size: number;
  readonly compression: PageCompression;
  /** The records are those of blocks 0 to `headerCount - 1`. */
  readonly isGapless: boolean;
  /** Records in the file as the list says; 0 when it does not say. */
  readonly headerCount: number;
  /** Place in the header map; -1 when the list has none. */
  readonly headerOffset: number;
  readonly headerSize: number;
  readonly headerCrc: number;
  /** CRC-32C of the whole stored file; -1 when the list has none. */
  readonly crc: number;
  /** Path of the backup's header map. */
  readonly mapPath: string;
}

/** Builds indexes; owns the buffers that this takes. */
export class PageIndexBuilder {
  readonly #pool: SourcePool;
  readonly #codecs: Codecs;
  readonly #header: NativeBuffer;
  #packed: NativeBuffer;
  #unpacked: NativeBuffer;
  #words = new Uint32Array(2048);

  constructor(pool: SourcePool, codecs: Codecs) {
    this.#pool = pool;
    this.#codecs = codecs;
    this.#header = codecs.allocate(PAGE_SIZE);
    this.#packed = codecs.allocate(4 * PAGE_SIZE);
    this.#unpacked = codecs.allocate(16 * PAGE_SIZE);
  }

  /**
   * Merges the streams of one data file of `blockCount` blocks, newest first.
   *
   * @returns two words a block: position of the record, and `layer << 14 | payload length` (0 = no
   *   record); the layer is the number of the stream. Valid until the next call
   * @throws {IntegrityError} when a header map or stored file is not what the list says
   * @throws {FormatError} when a record header is impossible
   */
  build(streams: readonly PageStream[], blockCount: number): Uint32Array {
    if (this.#words.length < 2 * blockCount) this.#words = new Uint32Array(2 * blockCount);
    const words = this.#words.subarray(0, 2 * blockCount).fill(0);
    streams.forEach((stream, layer) => {
      if (!this.#enterFromMap(stream, layer, words)) this.#enterByScan(stream, layer, words);
    });
    return words;
  }

  /** @returns false when the backup has no map for this file */
  #enterFromMap(stream: PageStream, layer: number, words: Uint32Array): boolean {
    if (stream.headerCount === 0 || stream.headerOffset < 0 || stream.headerSize <= 0) return false;
    const map: StoredFile = { path: stream.mapPath, backupId: stream.backupId };
    try {
      openStored(this.#pool, map);
    } catch (error) {
      if (error instanceof IntegrityError && error.code === "missing") return false;
      throw error;
    }
    this.#unpackMap(stream, map);
    const elements = new Int32Array(
      this.#unpacked.bytes.buffer,
      this.#unpacked.bytes.byteOffset,
      (stream.headerCount + 1) * PAGE_MAP_ELEMENT_SIZE / 4,
    );
    const wrong = mergePageMap(elements, stream.headerCount, stream.size, layer, words);
    if (wrong >= 0) {
      throw new FormatError(
        `Cannot use page headers of "${stream.path}": element ${wrong} is impossible`,
        { path: map.path, offset: stream.headerOffset, backupId: stream.backupId },
      );
    }
    return true;
  }

  #unpackMap(stream: PageStream, map: StoredFile): void {
    const size = (stream.headerCount + 1) * PAGE_MAP_ELEMENT_SIZE;
    const place = { path: map.path, offset: stream.headerOffset, backupId: stream.backupId };
    // Deflate cannot make data much longer than they are: a larger piece is a lie that would cost
    // memory.
    if (stream.headerSize > size + 1024) {
      throw new FormatError(
        `Cannot use page headers of "${stream.path}": ${stream.headerSize} bytes for ` +
          `${stream.headerCount} records`,
        place,
      );
    }
    this.#packed = this.#atLeast(this.#packed, stream.headerSize);
    this.#unpacked = this.#atLeast(this.#unpacked, size);
    readStored(this.#pool, map, this.#packed, 0, stream.headerSize, stream.headerOffset);
    const count = this.#codecs.zlib(this.#packed, 0, stream.headerSize, this.#unpacked, 0, size);
    if (count !== size) {
      throw new IntegrityError(`Cannot expand page headers of "${stream.path}"`, place);
    }
    const crc = crc32c(this.#unpacked.bytes, 0, size);
    if (crc !== stream.headerCrc) {
      throw new IntegrityError(
        `Cannot use page headers of "${stream.path}": CRC is ${crc}, the file list says ` +
          `${stream.headerCrc}`,
        place,
      );
    }
  }

  #atLeast(buffer: NativeBuffer, size: number): NativeBuffer {
    return buffer.bytes.length >= size ? buffer : this.#codecs.allocate(size);
  }

  #enterByScan(stream: PageStream, layer: number, words: Uint32Array): void {
    const { bytes } = this.#header;
    let position = 0;
    let previousBlock = -1;
    let count = 0;
    while (position < stream.size) {
      const headerSize = Math.min(RECORD_HEADER_SIZE, stream.size - position);
      readStored(this.#pool, stream, this.#header, 0, headerSize, position);
      const block = recordBlock(bytes, 0);
      const payloadSize = recordPayloadSize(bytes, 0);
      const end = position + RECORD_HEADER_SIZE + payloadSize;
      if (headerSize < RECORD_HEADER_SIZE || !isPayloadSize(payloadSize) || end > stream.size) {
        throw new FormatError(
          `Cannot read page record: block ${block}, payload of ${payloadSize} bytes, ` +
            `${stream.size - position} bytes left`,
          { path: stream.path, offset: position, backupId: stream.backupId },
        );
      }
      if (block <= previousBlock) {
        throw new FormatError(`Cannot read page record: block ${block} after ${previousBlock}`, {
          path: stream.path,
          offset: position,
          backupId: stream.backupId,
        });
      }
      if (2 * block < words.length && words[2 * block + 1] === 0) {
        words[2 * block] = position;
        words[2 * block + 1] = (layer << PAYLOAD_SIZE_BITS) | payloadSize;
      }
      previousBlock = block;
      position = end;
      count += 1;
    }
    if (stream.headerCount !== 0 && stream.headerCount !== count) {
      throw new IntegrityError(
        `Cannot use stored file: it has ${count} page records, the file list says ` +
          `${stream.headerCount}`,
        { path: stream.path, backupId: stream.backupId },
      );
    }
  }
}
