/**
 * Reads pages of data files: finds them by index, fetches runs of records with one read, expands
 * them in place and checks them. One for each thread; holds the buffers and the open files.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Codecs } from "#src/codecs/codecs.ts";
import { FormatError, IntegrityError } from "#src/errors.ts";
import type { SourcePool } from "#src/io/source_pool.ts";
import { PAGE_COMPRESSION_NAMES, PageCompression } from "./format/content.ts";
import {
  makeVectorChecksum,
  type PageChecksum,
  pageChecksum,
  PageVerdict,
  verifyPage,
} from "./format/page_checksum.ts";
import { PAYLOAD_SIZE_BITS, PAYLOAD_SIZE_MASK } from "./format/page_map.ts";
import {
  isPayloadSize,
  PAGE_SIZE,
  RECORD_HEADER_SIZE,
  RECORD_SIZE_MAX,
  recordBlock,
  recordPayloadSize,
  SEGMENT_BLOCKS_MAX,
} from "./format/page_stream.ts";
import { decodePglz } from "./format/pglz.ts";
import type { PageCounters } from "./page_counters.ts";
import { PageIndexBuilder, type PageStream } from "./page_index.ts";
import { PageIndexCache } from "./page_index_cache.ts";
import { lengthFromHeaders } from "./relation_length.ts";
import { readStored } from "./stored_file.ts";

/**
 * Bytes fetched with one read: at least 31 records, small enough to stay in the processor's cache.
 */
const RUN_SIZE_MAX = 256 * 1024;

/**
 * Bytes between two wanted records that are rather read, too, than left out by a read of their own.
 */
const GAP_SIZE_MAX = RECORD_SIZE_MAX;

/**
 * In the place of a block's index word: its page has been read. No word of an index, where no
 * payload is so long.
 */
const READ = 0xffff_ffff;

/**
 * Pages that are checked without the vector function. To compile it takes 1 ms, and 8 ms where the
 * compiler itself has to be read from the disk first: too much for who waits for the first page, or
 * reads only a few. After more pages the plain function would be compiled, twice, by the compilers
 * for what runs often: that takes longer.
 */
const PLAIN_CHECKSUMS = 32;

/** Blocks whose index is looked at in one go. */
const RANGE_BLOCKS = 256;

/** A data file as the page store sees it. */
export interface DataFile {
  /** Number of its own in the tree. */
  readonly id: number;
  readonly blockCount: number;
  /** Number of the 1 GiB segment. */
  readonly segment: number;
  /** Stored pages, newest backup first. */
  readonly streams: readonly PageStream[];
}

/** Finds and expands the pages of one tree's files, for one thread. */
export class PageStore {
  readonly #pool: SourcePool;
  readonly #codecs: Codecs;
  /** Pages have checksums, which are compared whenever one is read. */
  readonly hasChecksums: boolean;
  readonly #builder: PageIndexBuilder;
  readonly #indexes: PageIndexCache;
  /**
   * The index built last, and its file, or 0: what the shared memory does not take is built once
   * for a reader that goes on, too.
   */
  #built: Uint32Array = new Uint32Array(0);
  #builtFile = 0;
  /** Index of the blocks that are being read, two words each. */
  readonly #range = new Uint32Array(2 * RANGE_BLOCKS);
  readonly #stored: NativeBuffer;
  readonly #page: NativeBuffer;
  /** What is in `#page`: file and block, or 0. */
  #pageFile = 0;
  #pageBlock = 0;
  #viewed: NativeBuffer | undefined;
  /** Pages whose checksum has been computed the plain way, up to {@link PLAIN_CHECKSUMS}. */
  #plainChecksums = 0;
  #vectorChecksum: PageChecksum | undefined;
  #words = new Int32Array(0);
  readonly #counters: PageCounters;

  constructor(
    pool: SourcePool,
    codecs: Codecs,
    options: {
      hasChecksums: boolean;
      indexes: SharedArrayBuffer;
      fileMax: number;
      counters: PageCounters;
    },
  ) {
    this.#counters = options.counters;
    this.#pool = pool;
    this.#codecs = codecs;
    this.hasChecksums = options.hasChecksums;
    this.#builder = new PageIndexBuilder(pool, codecs);
    this.#indexes = new PageIndexCache(options.indexes, options.fileMax, options.counters);
    this.#stored = codecs.allocate(RUN_SIZE_MAX);
    this.#page = codecs.allocate(PAGE_SIZE);
  }

  /** Forgets what is cached. */
  close(): void {
    this.#pageFile = 0;
    this.#viewed = undefined;
  }

  /**
   * Reads whole pages `block` to `blockEnd` (exclusive) into `target` from `start` on. `start` must
   * be such that the page's words are aligned; see {@link isAligned}.
   *
   * @throws {IntegrityError} or {FormatError} naming stored file, offset and backup when a page is
   *   damaged
   */
  readPages(
    file: DataFile,
    block: number,
    blockEnd: number,
    target: NativeBuffer,
    start: number,
  ): void {
    for (let first = block; first < blockEnd; first += RANGE_BLOCKS) {
      const end = Math.min(first + RANGE_BLOCKS, blockEnd);
      this.#findRange(file, first, end);
      this.#readRange(file, first, end - first, target, start + (first - block) * PAGE_SIZE);
    }
    this.#counters.addMisses(blockEnd - block);
  }

  /** Reads the pages whose index is in `#range`. */
  #readRange(
    file: DataFile,
    firstBlock: number,
    count: number,
    target: NativeBuffer,
    start: number,
  ): void {
    for (let at = 0; at < count; at++) {
      const packed = this.#range[2 * at + 1]!;
      if (packed === 0) {
        const pageStart = start + at * PAGE_SIZE;
        target.bytes.fill(0, pageStart, pageStart + PAGE_SIZE);
      } else if (packed !== READ) {
        this.#readRun(file, firstBlock, at, count, target, start);
      }
    }
  }

  /**
   * Reads the page at `at` of the range, and what the same read of its stored file can bring of
   * those behind.
   */
  #readRun(
    file: DataFile,
    firstBlock: number,
    at: number,
    count: number,
    target: NativeBuffer,
    start: number,
  ): void {
    const range = this.#range;
    const position = range[2 * at]!;
    const layer = range[2 * at + 1]! >>> PAYLOAD_SIZE_BITS;
    const stream = file.streams[layer]!;
    const run = findRun(range, at, count);
    readStored(this.#pool, stream, this.#stored, 0, run.sizeBytes, position);
    for (let each = at; each < run.end; each++) {
      const packed = range[2 * each + 1]!;
      if (packed === 0 || packed === READ || packed >>> PAYLOAD_SIZE_BITS !== layer) continue;
      const block = firstBlock + each;
      const pageStart = start + each * PAGE_SIZE;
      const recordStart = range[2 * each]! - position;
      this.#expand(
        stream,
        recordStart,
        position,
        block,
        packed & PAYLOAD_SIZE_MASK,
        target,
        pageStart,
      );
      if (this.hasChecksums) {
        const word = (target.bytes.byteOffset + pageStart) >> 2;
        const verdict = verifyPage(
          this.#wordsOf(target),
          word,
          file.segment * SEGMENT_BLOCKS_MAX + block,
          this.#checksumFunction(),
        );
        if (verdict !== PageVerdict.GOOD) {
          refusePage(stream, position + recordStart, block, verdict);
        }
      }
      range[2 * each + 1] = READ;
    }
  }

  #checksumFunction(): PageChecksum {
    if (this.#plainChecksums < PLAIN_CHECKSUMS) {
      this.#plainChecksums += 1;
      return pageChecksum;
    }
    return this.#vectorChecksum ??= makeVectorChecksum() ?? pageChecksum;
  }

  /**
   * One page in a buffer of the store, valid until the next call. Asking again for the page
   * expanded last is free.
   */
  readPage(file: DataFile, block: number): Uint8Array {
    if (this.#pageFile === file.id && this.#pageBlock === block) {
      this.#counters.addHit();
      return this.#page.bytes;
    }
    this.#pageFile = 0;
    this.readPages(file, block, block + 1, this.#page, 0);
    this.#pageFile = file.id;
    this.#pageBlock = block;
    return this.#page.bytes;
  }

  /**
   * Blocks of a relation of which the lists do not tell it; `listed` is the most that there can be.
   */
  storedLength(streams: readonly PageStream[], listed: number): number {
    this.#builtFile = 0;
    return lengthFromHeaders(listed, streams, this.#builder);
  }

  /**
   * Compares stored files as a whole with the checksums of their lists: all that there is for pages
   * without checksums.
   *
   * @throws {IntegrityError}
   */
  checkStored(streams: readonly PageStream[]): void {
    for (const stream of streams) {
      if (stream.crc < 0) continue;
      let crc = 0;
      for (let offset = 0; offset < stream.size; offset += RUN_SIZE_MAX) {
        const count = Math.min(RUN_SIZE_MAX, stream.size - offset);
        readStored(this.#pool, stream, this.#stored, 0, count, offset);
        crc = crc32c(this.#stored.bytes, 0, count, crc);
      }
      if (crc === stream.crc) continue;
      throw new IntegrityError(
        `Cannot use stored file: CRC is ${crc}, the file list says ${stream.crc}`,
        { path: stream.path, backupId: stream.backupId },
      );
    }
  }

  /**
   * The first block from `block` on that is, or is not, stored by any backup; the number of blocks
   * if there is none.
   */
  nextBlock(file: DataFile, block: number, isStored: boolean): number {
    const range = this.#range;
    for (let first = block; first < file.blockCount; first += RANGE_BLOCKS) {
      const end = Math.min(first + RANGE_BLOCKS, file.blockCount);
      this.#findRange(file, first, end);
      for (let each = first; each < end; each++) {
        if ((range[2 * (each - first) + 1] !== 0) === isStored) return each;
      }
    }
    return file.blockCount;
  }

  /** Enters the index of blocks `block` to `blockEnd` (exclusive) into `#range`. */
  #findRange(file: DataFile, block: number, blockEnd: number): void {
    if (this.#indexes.get(file.id, file.blockCount, block, blockEnd, this.#range)) return;
    if (this.#builtFile !== file.id) {
      this.#builtFile = 0;
      this.#built = this.#builder.build(file.streams, file.blockCount);
      this.#builtFile = file.id;
    }
    this.#indexes.set(file.id, this.#built, file.blockCount);
    this.#range.set(this.#built.subarray(2 * block, 2 * blockEnd));
  }

  /** Words over the whole memory of a buffer, made once for each buffer in use. */
  #wordsOf(buffer: NativeBuffer): Int32Array {
    if (buffer !== this.#viewed) {
      const memory = buffer.bytes.buffer;
      this.#words = new Int32Array(memory, 0, memory.byteLength >> 2);
      this.#viewed = buffer;
    }
    return this.#words;
  }

  /**
   * Expands the record at `recordStart` of the fetched run, which begins at `runPosition` of the
   * stored file.
   */
  #expand(
    stream: PageStream,
    recordStart: number,
    runPosition: number,
    block: number,
    payloadSize: number,
    target: NativeBuffer,
    start: number,
  ): void {
    const stored = this.#stored;
    if (
      recordBlock(stored.bytes, recordStart) !== block ||
      recordPayloadSize(stored.bytes, recordStart) !== payloadSize
    ) refuseHeader(stream, stored.bytes, recordStart, runPosition, block, payloadSize);
    const payload = recordStart + RECORD_HEADER_SIZE;
    let count: number;
    if (payloadSize === PAGE_SIZE) {
      target.bytes.set(stored.bytes.subarray(payload, payload + PAGE_SIZE), start);
      return;
    }
    switch (stream.compression) {
      case PageCompression.ZLIB:
        count = this.#codecs.zlib(stored, payload, payloadSize, target, start, PAGE_SIZE);
        break;
      case PageCompression.PGLZ:
        count = decodePglz(stored.bytes, payload, payloadSize, target.bytes, start, PAGE_SIZE);
        break;
      case PageCompression.LZ4:
        count = this.#codecs.lz4(stored, payload, payloadSize, target, start, PAGE_SIZE);
        break;
      case PageCompression.ZSTD:
        count = this.#codecs.zstd(stored, payload, payloadSize, target, start, PAGE_SIZE);
        break;
      case PageCompression.NONE:
        count = -1;
    }
    if (count === PAGE_SIZE) return;
    throw new IntegrityError(
      `Cannot expand block ${block}: ${payloadSize} bytes of ` +
        `${PAGE_COMPRESSION_NAMES[stream.compression]} are not a page`,
      { path: stream.path, offset: runPosition + recordStart, backupId: stream.backupId },
    );
  }
}

/** Whether pages can be put at `start` of a buffer: their 32-bit words must be aligned. */
export function isAligned(target: NativeBuffer, start: number): boolean {
  return ((target.bytes.byteOffset + start) & 3) === 0;
}

/** What one read brings: always the same object. */
const foundRun = { end: 0, sizeBytes: 0 };

/**
 * The blocks from `at` on, up to `count`, that one read of the stored file of the first of them
 * brings. Between them may be blocks of other layers, and between their records those that newer
 * backups have replaced: in a chain both alternate from block to block.
 *
 * @returns the end of these blocks, and how many bytes they take from the first record on
 */
function findRun(words: Uint32Array, at: number, count: number): Readonly<typeof foundRun> {
  const position = words[2 * at]!;
  const layer = words[2 * at + 1]! >>> PAYLOAD_SIZE_BITS;
  let recordsEnd = position + RECORD_HEADER_SIZE + (words[2 * at + 1]! & PAYLOAD_SIZE_MASK);
  let end = at + 1;
  for (let next = end; next < count; next++) {
    const packed = words[2 * next + 1]!;
    if (packed === 0 || packed === READ || packed >>> PAYLOAD_SIZE_BITS !== layer) continue;
    const recordStart = words[2 * next]!;
    const recordEnd = recordStart + RECORD_HEADER_SIZE + (packed & PAYLOAD_SIZE_MASK);
    const isNear = recordStart >= recordsEnd && recordStart - recordsEnd <= GAP_SIZE_MAX;
    if (!isNear || recordEnd - position > RUN_SIZE_MAX) break;
    recordsEnd = recordEnd;
    end = next + 1;
  }
  foundRun.end = end;
  foundRun.sizeBytes = recordsEnd - position;
  return foundRun;
}

function refuseHeader(
  stream: PageStream,
  bytes: Uint8Array,
  recordStart: number,
  runPosition: number,
  block: number,
  payloadSize: number,
): never {
  const foundBlock = recordBlock(bytes, recordStart);
  const foundSize = recordPayloadSize(bytes, recordStart);
  const place = {
    path: stream.path,
    offset: runPosition + recordStart,
    backupId: stream.backupId,
  };
  const found = `block ${foundBlock}, payload of ${foundSize} bytes`;
  if (!isPayloadSize(foundSize)) {
    throw new FormatError(`Cannot read page record: ${found}`, place);
  }
  throw new IntegrityError(
    `Cannot use page record: ${found}; the page headers say block ${block}, ${payloadSize} bytes`,
    place,
  );
}

function refusePage(
  stream: PageStream,
  offset: number,
  block: number,
  verdict: number,
): never {
  const problem = verdict === PageVerdict.BAD_NEW_PAGE
    ? "page without header is not empty"
    : "wrong page checksum";
  throw new IntegrityError(`Cannot use block ${block}: ${problem}`, {
    path: stream.path,
    offset,
    backupId: stream.backupId,
  });
}
