/**
 * What a tar archive has where, read once from its beginning to its end.
 *
 * @module
 */

import type { Acl } from "#src/bytes/acl.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, LimitError, located } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { Timestamp, Xattr } from "#src/tree/metadata.ts";
import {
  type DataRange,
  isHeader,
  isZeroBlock,
  parseHeader,
  parseSparseExtension,
  TAR_BLOCK_SIZE,
  type TarHeader,
} from "./format/header.ts";
import type { AccountNumbers } from "./format/acl_text.ts";
import { pairRanges, parsePax, paxNumber, type PaxRecords, paxTime } from "./format/pax.ts";
import { paxAcl, paxXattrs } from "./pax_attributes.ts";

/** A member of an archive, as plain values. */
export interface TarMember {
  /** Names from the root on: without `.`, `..` and empty ones. */
  readonly path: string;
  readonly kind: "file" | "directory" | "symlink" | "hardlink" | "fifo" | "character" | "block";
  /** Permission bits. */
  readonly mode: number;
  readonly uid: number;
  readonly gid: number;
  readonly mtime: Timestamp;
  /** Length of a file. */
  readonly size: number;
  /** Where its stored bytes begin. */
  readonly offset: number;
  /** What of a sparse file is stored, in order; undefined: all of it. */
  readonly ranges: readonly DataRange[] | undefined;
  /** Target of a symbolic link as it is stored; of a further name, a path as above. */
  readonly target: string;
  readonly major: number;
  readonly minor: number;
  readonly xattrs: readonly Xattr[];
  /** What is told of ACLs in words; undefined: nothing. */
  readonly acl: Acl | undefined;
}

/** Members that an archive may have. */
const MEMBERS_MAX = 2_000_000;
/** Of a header with long names or pax records; a path has 4096 bytes, an attribute 64 KiB. */
const EXTRA_SIZE_MAX = 4 << 20;
const RANGES_MAX = 1_000_000;
const NO_RECORDS: PaxRecords = { values: new Map(), ranges: [] };

const KINDS: Readonly<Record<string, TarMember["kind"]>> = {
  "0": "file",
  "1": "hardlink",
  "2": "symlink",
  "3": "character",
  "4": "block",
  "5": "directory",
  "6": "fifo",
  "7": "file",
  "S": "file",
};

/**
 * Lists an archive.
 *
 * @param name of it, for messages
 * @param allocate makes a buffer that the source can read to
 * @param accounts of this machine, for ACLs that name them
 * @throws {FormatError} when it is none, is damaged, or leads out of itself
 * @throws {LimitError} when it has too many members
 */
export function indexTar(
  source: ByteSource,
  name: string,
  allocate: (sizeBytes: number) => NativeBuffer,
  accounts: AccountNumbers,
): TarMember[] {
  return new Indexer(source, name, allocate, accounts).run();
}

class Indexer {
  readonly #source: ByteSource;
  readonly #name: string;
  readonly #allocate: (sizeBytes: number) => NativeBuffer;
  readonly #accounts: AccountNumbers;
  readonly #block: NativeBuffer;
  #offset = 0;

  constructor(
    source: ByteSource,
    name: string,
    allocate: (sizeBytes: number) => NativeBuffer,
    accounts: AccountNumbers,
  ) {
    this.#source = source;
    this.#name = name;
    this.#allocate = allocate;
    this.#accounts = accounts;
    this.#block = allocate(TAR_BLOCK_SIZE);
  }

  run(): TarMember[] {
    const members: TarMember[] = [];
    let global: PaxRecords = NO_RECORDS;
    let local: PaxRecords = NO_RECORDS;
    let longName: string | undefined;
    let longLink: string | undefined;
    // Without the zeros at its end an archive is cut off, be it between two members.
    for (;;) {
      const start = this.#offset;
      const block = this.#readBlock();
      if (isZeroBlock(block)) return members;
      if (!isHeader(block)) throw this.#damaged("a header has a wrong checksum", start);
      const header = this.#located(start, () => parseHeader(block));
      if (header.type === "x" || header.type === "g") {
        const records = this.#located(start, () => parsePax(this.#readExtra(header.size)));
        if (header.type === "x") local = records;
        else global = { ...global, values: new Map([...global.values, ...records.values]) };
      } else if (header.type === "L" || header.type === "K") {
        const bytes = this.#readExtra(header.size);
        const end = bytes.indexOf(0);
        const text = decodeFileName(end < 0 ? bytes : bytes.subarray(0, end));
        if (header.type === "L") longName = text;
        else longLink = text;
      } else {
        if (members.length >= MEMBERS_MAX) {
          throw new LimitError(`A tar archive has at most ${MEMBERS_MAX} members here`);
        }
        const records = {
          values: new Map([...global.values, ...local.values]),
          ranges: local.ranges,
        };
        const named = {
          ...header,
          name: longName ?? header.name,
          linkName: longLink ?? header.linkName,
        };
        const member = this.#located(start, () => this.#member(named, records));
        if (member !== undefined) members.push(member);
        local = NO_RECORDS;
        longName = longLink = undefined;
      }
    }
  }

  #member(header: TarHeader, { values, ranges: told }: PaxRecords): TarMember | undefined {
    const text = (key: string) => {
      const value = values.get(key);
      return value && decodeFileName(value);
    };
    const count = (key: string) => {
      const value = values.get(key);
      return value && paxNumber(value);
    };
    const storedSize = count("size") ?? header.size;
    let ranges: readonly DataRange[] | undefined;
    let size = count("GNU.sparse.realsize") ?? count("GNU.sparse.size") ?? storedSize;
    if (header.sparse !== undefined) {
      size = header.sparse.realSize;
      ranges = this.#oldRanges(header.sparse.ranges, header.sparse.isExtended);
    }
    let offset = this.#offset;
    let dataSize = storedSize;
    if (values.has("GNU.sparse.major")) {
      const map = this.#readMap(storedSize);
      ranges = map.ranges;
      offset += map.size;
      dataSize -= map.size;
    } else if (values.has("GNU.sparse.map")) {
      const numbers = text("GNU.sparse.map")!.split(",").filter((each) => each !== "");
      ranges = pairRanges(numbers.map((each) => paxNumber(new TextEncoder().encode(each))));
    } else if (told.length > 0) ranges = told;
    if (ranges !== undefined) checkRanges(ranges, size, dataSize);
    const kind = KINDS[header.type];
    const hasData = kind === "file" || kind === undefined;
    this.#skip(this.#offset, hasData ? storedSize : 0);
    // Volume labels and the like are no files.
    if (kind === undefined) return undefined;
    const path = pathOf(text("GNU.sparse.name") ?? text("path") ?? header.name);
    const isDirectory = kind === "directory" ||
      kind === "file" && (text("path") ?? header.name).endsWith("/");
    const link = text("linkpath") ?? header.linkName;
    const mtime = values.get("mtime");
    return {
      path,
      kind: isDirectory ? "directory" : kind,
      ...paxAcl(values, header.mode, this.#accounts),
      uid: count("uid") ?? header.uid,
      gid: count("gid") ?? header.gid,
      mtime: mtime === undefined ? { seconds: header.mtime, nanoseconds: 0 } : paxTime(mtime),
      size: kind === "file" && !isDirectory ? size : 0,
      offset,
      ranges,
      target: kind === "hardlink" ? pathOf(link) : kind === "symlink" ? link : "",
      major: header.major,
      minor: header.minor,
      xattrs: paxXattrs(values),
    };
  }

  #oldRanges(first: readonly DataRange[], isExtended: boolean): DataRange[] {
    const ranges = [...first];
    while (isExtended) {
      const extension = parseSparseExtension(this.#readBlock());
      ranges.push(...extension.ranges);
      if (ranges.length > RANGES_MAX) throw tooManyRanges();
      isExtended = extension.isExtended;
    }
    return ranges;
  }

  /** The map before the data of a sparse file. */
  #readMap(sizeMax: number): { readonly ranges: DataRange[]; readonly size: number } {
    const numbers: number[] = [];
    let rest = "";
    for (let size = 0; size + TAR_BLOCK_SIZE <= sizeMax;) {
      this.#read(this.#block, TAR_BLOCK_SIZE, this.#offset + size);
      size += TAR_BLOCK_SIZE;
      const lines = (rest + decodeFileName(this.#block.bytes.subarray(0, TAR_BLOCK_SIZE))).split(
        "\n",
      );
      rest = lines.pop()!;
      for (const line of lines) {
        numbers.push(paxNumber(new TextEncoder().encode(line)));
        const wanted = 1 + 2 * numbers[0]!;
        if (wanted > RANGES_MAX) throw tooManyRanges();
        if (numbers.length === wanted) return { ranges: pairRanges(numbers.slice(1)), size };
      }
    }
    throw new FormatError("Cannot read tar archive: a map of a sparse file is cut off");
  }

  #readExtra(size: number): Uint8Array {
    if (size > EXTRA_SIZE_MAX) {
      throw new LimitError(
        `A tar archive has names and attributes of up to ${EXTRA_SIZE_MAX} bytes`,
      );
    }
    const buffer = this.#allocate(size);
    this.#read(buffer, size, this.#offset);
    this.#skip(this.#offset, size);
    return buffer.bytes.subarray(0, size);
  }

  #readBlock(): Uint8Array {
    this.#read(this.#block, TAR_BLOCK_SIZE, this.#offset);
    this.#offset += TAR_BLOCK_SIZE;
    return this.#block.bytes.slice(0, TAR_BLOCK_SIZE);
  }

  #read(target: NativeBuffer, size: number, offset: number): void {
    if (offset + size > this.#source.size) throw this.#damaged("it is cut off", offset);
    if (this.#source.readAt(target, 0, size, offset) !== size) {
      throw this.#damaged("it is cut off", offset);
    }
  }

  #skip(start: number, size: number): void {
    if (start + size > this.#source.size) throw this.#damaged("it is cut off", start);
    this.#offset = start + Math.ceil(size / TAR_BLOCK_SIZE) * TAR_BLOCK_SIZE;
  }

  #damaged(what: string, offset: number): FormatError {
    return new FormatError(`Cannot read tar archive: ${what}`, { path: this.#name, offset });
  }

  #located<Result>(offset: number, run: () => Result): Result {
    return located(() => ({ path: this.#name, offset }), run);
  }
}

/** Ranges are in order, inside of the file, and stored. */
function checkRanges(ranges: readonly DataRange[], size: number, storedSize: number): void {
  let end = 0;
  let sum = 0;
  for (const range of ranges) {
    if (range.offset < end) {
      throw new FormatError("Cannot read tar archive: ranges of a sparse file overlap");
    }
    end = range.offset + range.size;
    sum += range.size;
  }
  if (end <= size && sum <= storedSize && Number.isSafeInteger(end)) return;
  throw new FormatError("Cannot read tar archive: ranges of a sparse file are outside of it");
}

function tooManyRanges(): LimitError {
  return new LimitError(`A sparse file in a tar archive has at most ${RANGES_MAX} ranges here`);
}

/** @throws {FormatError} when it leads out */
function pathOf(name: string): string {
  const names = name.split("/").filter((each) => each !== "" && each !== ".");
  if (!names.includes("..") && !name.includes("\0")) return names.join("/");
  throw new FormatError(`Cannot read tar archive: "${name.slice(0, 256)}" leads out of it`);
}
