/**
 * `backup_content.control`: the list of all files and directories of the cluster at one backup.
 *
 * One line an entry, `{"path":"base/5/16396", "size":"81458", …}`: every value is a quoted string,
 * nothing is escaped. Lists may have 50,000 lines and are read for every backup of a chain, so the
 * bytes are scanned once, and one {@link ContentEntry} is filled again for each line.
 *
 * @module
 */

import { FileType } from "#src/bytes/file_type.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";
import { SEGMENT_BLOCKS_MAX } from "./page_stream.ts";

/** How the pages of a stored data file are compressed. */
export const PageCompression = { NONE: 0, ZLIB: 1, PGLZ: 2, LZ4: 3, ZSTD: 4 } as const;

/** A value of {@link PageCompression}. */
export type PageCompression = typeof PageCompression[keyof typeof PageCompression];

/** Names of {@link PageCompression}, by value. */
export const PAGE_COMPRESSION_NAMES = ["none", "zlib", "pglz", "lz4", "zstd"] as const;

/** Stored size of a file that is unchanged since the parent: nothing is stored. */
export const SIZE_UNCHANGED = -1;

/** Longest path in bytes. */
export const PATH_SIZE_MAX = 4096;

/** Longest file name in bytes. */
export const NAME_SIZE_MAX = 255;

/** Highest number of an external directory. */
export const EXTERNAL_DIRECTORIES_MAX = 1 << 16;

/** Largest list that is read. */
export const CONTENT_SIZE_MAX = 1 << 30;

/** One line of the list. Numbers that are absent have the value shown. */
export class ContentEntry {
  #bytes = new Uint8Array(0);
  #pathStart = 0;
  #pathEnd = 0;
  #path: string | undefined = "";
  /** Bytes stored in this backup; 0 = empty, nothing stored; {@link SIZE_UNCHANGED}. */
  size = 0;
  /** `st_mode` with type bits. */
  mode = 0;
  /** The stored file is a stream of page records. */
  isDataFile = false;
  /** File of a compressed tablespace: stored as a whole copy whatever `isDataFile` says. */
  isCfs = false;
  compression: PageCompression = PageCompression.NONE;
  /** CRC-32C of the stored bytes; of `global/pg_control` the one that the file has inside. */
  crc = -1;
  /** 0 = data directory, N = Nth external directory. */
  externalNumber = 0;
  /** Size before compression and page headers; absent: -1. */
  fullSize = -1;
  segment = 0;
  /** Length of the relation in blocks. */
  blockCount = 0;
  /** Records in the stored file. */
  headerCount = 0;
  headerCrc = -1;
  headerOffset = -1;
  headerSize = -1;
  /** Byte offset of the line. */
  lineOffset = 0;
  /** Number of the line, from 1. */
  lineNumber = 0;

  /**
   * Relative, checked: no empty, `.` or `..` component, no NUL. Decoded when asked for: most lines
   * are passed over.
   */
  get path(): string {
    return this.#path ??= decodeFileName(this.#bytes.subarray(this.#pathStart, this.#pathEnd));
  }

  /**
   * The list, in which the path goes from {@link pathStart} to {@link pathEnd}; valid until the
   * next line.
   */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes;
  }

  get pathStart(): number {
    return this.#pathStart;
  }

  get pathEnd(): number {
    return this.#pathEnd;
  }

  /** Used by the parser: where the path is. */
  setPath(bytes: Uint8Array<ArrayBuffer>, start: number, end: number): void {
    this.#bytes = bytes;
    this.#pathStart = start;
    this.#pathEnd = end;
    this.#path = undefined;
  }
}

/** Where the list comes from, for messages. */
export interface ContentPlace {
  readonly path: string;
  readonly backupId: string;
}

const QUOTE = 0x22;
const BLANK = 0x20;
const COMMA = 0x2c;
const MINUS = 0x2d;
const DOT = 0x2e;
const SLASH = 0x2f;
const ZERO = 0x30;
const COLON = 0x3a;
const OPEN = 0x7b;
const CLOSE = 0x7d;
const NEWLINE = 0x0a;

/**
 * Keys that are read; the rest is passed over. Numbers above {@link TEXT_KEYS} have numeric values.
 */
const Key = {
  PATH: 1,
  COMPRESS_ALG: 2,
  SIZE: 3,
  MODE: 4,
  IS_DATAFILE: 5,
  IS_CFS: 6,
  EXTERNAL_DIR_NUM: 7,
  FULL_SIZE: 8,
  SEGNO: 9,
  N_BLOCKS: 10,
  N_HEADERS: 11,
  HDR_CRC: 12,
  HDR_OFF: 13,
  HDR_SIZE: 14,
  CRC: 15,
} as const;

/** Bits of the keys without which a line makes no sense. */
const NEEDED_KEYS = (1 << Key.PATH) | (1 << Key.SIZE) | (1 << Key.MODE) | (1 << Key.IS_DATAFILE);

const KEYS_BY_HASH = new Map<number, number>(
  Object.entries(Key).map(([name, key]) => [hashOfKey(name), key]),
);

function hashOfKey(name: string): number {
  let hash = 0;
  // "N_BLOCKS" stands for `n_blocks` and so on; the list writes all of them in lower case.
  for (const character of name.toLowerCase()) {
    hash = (Math.imul(hash, 31) + character.charCodeAt(0)) | 0;
  }
  return hash;
}

/**
 * Reads a list and calls `visit` for each line with one and the same entry, filled anew.
 *
 * @throws {FormatError} naming file, offset and line for a line that is malformed or cut off, a
 *   path that leads out of its root, an impossible number, or an unknown compression (`code` is
 *   `unsupported`)
 */
export function parseContentList(
  bytes: Uint8Array<ArrayBuffer>,
  place: ContentPlace,
  visit: (entry: ContentEntry) => void,
): void {
  new ContentScanner(bytes, place).scan(visit);
}

class ContentScanner {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #place: ContentPlace;
  readonly #entry = new ContentEntry();
  #position = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>, place: ContentPlace) {
    this.#bytes = bytes;
    this.#place = place;
  }

  scan(visit: (entry: ContentEntry) => void): void {
    const entry = this.#entry;
    while (this.#position < this.#bytes.length) {
      entry.lineNumber += 1;
      entry.lineOffset = this.#position;
      this.#reset();
      this.#scanLine();
      this.#checkEntry();
      visit(entry);
    }
  }

  #reset(): void {
    const entry = this.#entry;
    entry.isDataFile = false;
    entry.isCfs = false;
    entry.compression = PageCompression.NONE;
    entry.crc = -1;
    entry.externalNumber = 0;
    entry.fullSize = -1;
    entry.segment = 0;
    entry.blockCount = 0;
    entry.headerCount = 0;
    entry.headerCrc = -1;
    entry.headerOffset = -1;
    entry.headerSize = -1;
  }

  #scanLine(): void {
    const bytes = this.#bytes;
    this.#expect(OPEN);
    let seen = 0;
    for (;;) {
      this.#skipBlanks();
      this.#expect(QUOTE);
      const key = this.#scanKey();
      this.#skipBlanks();
      this.#expect(COLON);
      this.#skipBlanks();
      this.#expect(QUOTE);
      if (key > Key.COMPRESS_ALG) this.#setNumber(key, this.#scanNumber());
      else this.#scanText(key);
      seen |= 1 << key;
      this.#skipBlanks();
      if (bytes[this.#position] !== COMMA) break;
      this.#position += 1;
    }
    this.#expect(CLOSE);
    this.#skipBlanks();
    this.#expect(NEWLINE);
    if ((seen & NEEDED_KEYS) !== NEEDED_KEYS) {
      this.#refuse("path, size, mode or is_datafile missing");
    }
  }

  #expect(byte: number): void {
    if (this.#bytes[this.#position] === byte) this.#position += 1;
    else this.#refuseHere(byte);
  }

  #refuseHere(byte: number): never {
    const expected = byte === NEWLINE ? "end of line" : `"${String.fromCharCode(byte)}"`;
    return this.#refuse(`${expected} expected at offset ${this.#position}`);
  }

  #skipBlanks(): void {
    while (this.#bytes[this.#position] === BLANK) this.#position += 1;
  }

  /** @returns a number of {@link Key}; 0 for an unknown key */
  #scanKey(): number {
    const bytes = this.#bytes;
    let hash = 0;
    let position = this.#position;
    for (;;) {
      const byte = bytes[position];
      if (byte === QUOTE) break;
      if (byte === undefined || byte === NEWLINE) return this.#refuse("a key has no end");
      hash = (Math.imul(hash, 31) + byte) | 0;
      position += 1;
    }
    this.#position = position + 1;
    return KEYS_BY_HASH.get(hash) ?? 0;
  }

  #scanText(key: number): void {
    const start = this.#position;
    const end = this.#bytes.indexOf(QUOTE, start);
    if (end < 0) this.#refuse("a value has no end");
    this.#position = end + 1;
    if (key === Key.PATH) {
      this.#checkPath(start, end);
      this.#entry.setPath(this.#bytes, start, end);
    } else if (key === Key.COMPRESS_ALG) {
      this.#entry.compression = this.#compressionOf(start, end);
    }
  }

  #compressionOf(start: number, end: number): PageCompression {
    const bytes = this.#bytes;
    // The two that nearly every line has, distinguished by their first letters.
    if (end - start === 4 && bytes[start] === 0x6e && bytes[start + 1] === 0x6f) return 0;
    const name = decodeFileName(bytes.subarray(start, end));
    const value = (PAGE_COMPRESSION_NAMES as readonly string[]).indexOf(name);
    if (value < 0) {
      throw new FormatError(`Cannot read line ${this.#entry.lineNumber}: compression "${name}"`, {
        ...this.#place,
        offset: this.#entry.lineOffset,
        code: "unsupported",
        hint: `Supported are ${PAGE_COMPRESSION_NAMES.join(", ")}`,
      });
    }
    return value as PageCompression;
  }

  #scanNumber(): number {
    const bytes = this.#bytes;
    const start = this.#position;
    let position = start;
    const isNegative = bytes[position] === MINUS;
    if (isNegative) position += 1;
    const digitsStart = position;
    let value = 0;
    for (;;) {
      const digit = bytes[position]! - ZERO;
      if (!(digit >= 0 && digit <= 9)) break;
      value = value * 10 + digit;
      position += 1;
    }
    if (position === digitsStart || bytes[position] !== QUOTE) {
      this.#refuse(`number expected at offset ${start}`);
    }
    this.#position = position + 1;
    if (value > Number.MAX_SAFE_INTEGER) {
      // A writer's old mistake: -1 as an unsigned number, read back as -1 ever since.
      if (value >= 2 ** 63) return -1;
      this.#refuse(`number at offset ${start} is too large`);
    }
    return isNegative ? -value : value;
  }

  #setNumber(key: number, value: number): void {
    const entry = this.#entry;
    switch (key) {
      case Key.SIZE:
        entry.size = value;
        break;
      case Key.MODE:
        entry.mode = value;
        break;
      case Key.IS_DATAFILE:
        entry.isDataFile = value !== 0;
        break;
      case Key.IS_CFS:
        entry.isCfs = value !== 0;
        break;
      case Key.EXTERNAL_DIR_NUM:
        entry.externalNumber = value;
        break;
      case Key.FULL_SIZE:
        entry.fullSize = value;
        break;
      case Key.SEGNO:
        entry.segment = value;
        break;
      case Key.N_BLOCKS:
        entry.blockCount = value;
        break;
      case Key.N_HEADERS:
        entry.headerCount = value;
        break;
      case Key.HDR_CRC:
        entry.headerCrc = value;
        break;
      case Key.HDR_OFF:
        entry.headerOffset = value;
        break;
      case Key.HDR_SIZE:
        entry.headerSize = value;
        break;
      case Key.CRC:
        entry.crc = value;
        break;
    }
  }

  /** Refuses every path that could mean something else than a name below its root. */
  #checkPath(start: number, end: number): void {
    const bytes = this.#bytes;
    if (end - start > PATH_SIZE_MAX) this.#refuse("path is too long");
    let nameStart = start;
    for (let position = start; position <= end; position++) {
      const byte = position === end ? SLASH : bytes[position]!;
      if (byte === 0 || byte === NEWLINE) this.#refusePath(start, end, "has a control character");
      if (byte !== SLASH) continue;
      const length = position - nameStart;
      if (length === 0) this.#refusePath(start, end, "is absolute or has an empty component");
      if (length > NAME_SIZE_MAX) this.#refusePath(start, end, "has a component that is too long");
      if (
        bytes[nameStart] === DOT && (length === 1 || length === 2 && bytes[nameStart + 1] === DOT)
      ) {
        this.#refusePath(start, end, 'has a component "." or ".."');
      }
      nameStart = position + 1;
    }
  }

  #refusePath(start: number, end: number, problem: string): never {
    const path = JSON.stringify(decodeFileName(this.#bytes.subarray(start, end)));
    return this.#refuse(`path ${path} ${problem}`);
  }

  #checkEntry(): void {
    const entry = this.#entry;
    const type = entry.mode & FileType.MASK;
    if (
      entry.mode < 0 || entry.mode > 0o177777 ||
      (type !== FileType.FILE && type !== FileType.DIRECTORY)
    ) {
      this.#refuse(`mode ${entry.mode} is neither of a file nor of a directory`);
    }
    if (entry.size < SIZE_UNCHANGED) this.#refuse(`size is ${entry.size}`);
    if (entry.externalNumber < 0 || entry.externalNumber > EXTERNAL_DIRECTORIES_MAX) {
      this.#refuse(`external_dir_num is ${entry.externalNumber}`);
    }
    if (!entry.isDataFile || entry.isCfs) return;
    if (entry.blockCount < 0 || entry.blockCount > SEGMENT_BLOCKS_MAX) {
      this.#refuse(`n_blocks is ${entry.blockCount}, a segment has at most ${SEGMENT_BLOCKS_MAX}`);
    }
    if (entry.headerCount < 0 || entry.headerCount > SEGMENT_BLOCKS_MAX) {
      this.#refuse(`n_headers is ${entry.headerCount}`);
    }
    if (entry.segment < 0 || entry.segment > 99999) this.#refuse(`segno is ${entry.segment}`);
  }

  #refuse(problem: string): never {
    const { lineNumber, lineOffset } = this.#entry;
    const isCut = this.#bytes.indexOf(NEWLINE, lineOffset) < 0;
    throw new FormatError(
      `Cannot parse line ${lineNumber}: ${problem}${isCut ? "; the file is cut off" : ""}`,
      { ...this.#place, offset: lineOffset },
    );
  }
}
