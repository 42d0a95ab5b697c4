/**
 * Writes one backup of a catalog in pg_probackup's on-disk format, file by file
 * (`spec/pg_probackup-format.md`).
 *
 * For fixtures made on the spot. What it writes is checked by an independent reader in
 * `catalog_builder_test.ts`.
 *
 * @module
 */

import { Buffer } from "node:buffer";
import { constants, deflateSync } from "node:zlib";
import { crc32c } from "#src/bytes/crc32c.ts";
import { formatBackupId } from "#src/pgprobackup/format/backup_id.ts";
import { pageChecksum } from "#src/pgprobackup/format/page_checksum.ts";

const PAGE_SIZE = 8192;
const SEGMENT_BLOCKS = 131_072;
const HEADER_ELEMENT_SIZE = 24;
const REGULAR_FILE = 0o100000;
const DIRECTORY = 0o040000;

/** How the pages of a file are stored. */
export type StoredCompression = "none" | "zlib";

/** What `backup.control` says. */
export interface BackupProperties {
  readonly mode: "FULL" | "DELTA";
  /** Id of the backup that a DELTA is based on. */
  readonly parentId?: string;
  /** Seconds since 1970; the id is made of it. */
  readonly startSeconds: number;
  readonly serverVersion: number;
  readonly checksumVersion: 0 | 1;
  readonly compression: StoredCompression;
  readonly timeline?: number;
  readonly startLsn?: string;
  readonly stopLsn?: string;
}

/**
 * `instance/pg_probackup.conf`, and the directories around it. Returns the instance's directory.
 */
export function createInstance(
  catalog: string,
  instance: string,
  config: { readonly systemIdentifier: string; readonly walSegmentBytes: number },
): string {
  const directory = `${catalog}/backups/${instance}`;
  Deno.mkdirSync(directory, { recursive: true, mode: 0o700 });
  Deno.mkdirSync(`${catalog}/wal/${instance}`, { recursive: true, mode: 0o700 });
  Deno.writeTextFileSync(
    `${directory}/pg_probackup.conf`,
    "# Backup instance information\npgdata = /nowhere/data\n" +
      `system-identifier = ${config.systemIdentifier}\n` +
      `xlog-seg-size = ${config.walSegmentBytes}\n`,
  );
  return directory;
}

function formatTime(seconds: number): string {
  return new Date(seconds * 1000).toISOString().replace("T", " ").replace(/\.\d+Z$/, "+00");
}

function databaseOid(path: string): string {
  return /^base\/(\d+)\//.exec(path)?.[1] ??
    /^pg_tblspc\/\d+\/PG_[^/]*\/(\d+)\//.exec(path)?.[1] ?? "0";
}

/** The stored form of a data file: the page records, and the elements of the header map. */
export interface StoredPages {
  readonly stream: Uint8Array;
  readonly headers: Uint8Array<ArrayBuffer>;
  readonly pageCount: number;
}

/** Encodes those pages of `content` that `isStored` picks. */
export function encodePages(
  content: Uint8Array<ArrayBuffer>,
  compression: StoredCompression,
  segment = 0,
  isStored: (block: number) => boolean = () => true,
): StoredPages {
  const aligned = new Int32Array(PAGE_SIZE / 4);
  const alignedBytes = new Uint8Array(aligned.buffer);
  const parts: Uint8Array[] = [];
  const elements: { lsn: bigint; block: number; position: number; checksum: number }[] = [];
  let position = 0;
  for (let block = 0; block * PAGE_SIZE < content.length; block++) {
    if (!isStored(block)) continue;
    const page = content.subarray(block * PAGE_SIZE, (block + 1) * PAGE_SIZE);
    alignedBytes.set(page);
    const isZero = aligned.every((word) => word === 0);
    const view = new DataView(page.buffer, page.byteOffset);
    const lsn = BigInt(view.getUint32(0, true)) << 32n | BigInt(view.getUint32(4, true));
    const absolute = segment * SEGMENT_BLOCKS + block;
    const checksum = isZero ? 0 : pageChecksum(aligned, 0, absolute);
    elements.push({ lsn, block, position, checksum });
    const deflated = compression === "zlib" ? deflateSync(page, { level: 1 }) : page;
    const payload = deflated.length < PAGE_SIZE ? deflated : page;
    const header = new DataView(new ArrayBuffer(8));
    header.setUint32(0, block, true);
    header.setInt32(4, payload.length, true);
    parts.push(new Uint8Array(header.buffer), payload);
    position += 8 + payload.length;
  }
  elements.push({ lsn: 0n, block: 0, position, checksum: 0 });
  return {
    stream: Buffer.concat(parts),
    headers: encodeHeaders(elements),
    pageCount: elements.length - 1,
  };
}

function encodeHeaders(
  elements: readonly { lsn: bigint; block: number; position: number; checksum: number }[],
): Uint8Array<ArrayBuffer> {
  const headers = new Uint8Array(elements.length * HEADER_ELEMENT_SIZE);
  const view = new DataView(headers.buffer);
  for (const [index, element] of elements.entries()) {
    const at = index * HEADER_ELEMENT_SIZE;
    view.setBigUint64(at, element.lsn, true);
    view.setInt32(at + 8, element.block, true);
    view.setInt32(at + 12, element.position, true);
    view.setUint16(at + 16, element.checksum, true);
  }
  return headers;
}

/** Where the headers of a data file lie in `page_header_map`. */
export interface HeaderPlace {
  readonly crc: number;
  readonly offset: number;
  readonly size: number;
}

/** A backup in the making. */
export class BackupWriter {
  readonly id: string;
  readonly directory: string;
  readonly #properties: BackupProperties;
  readonly #lines: string[] = [];
  readonly #headerBlobs: Uint8Array[] = [];
  #headerBytes = 0;
  #dataBytes = 0;
  #walBytes = 0;

  constructor(instanceDirectory: string, properties: BackupProperties) {
    this.#properties = properties;
    this.id = formatBackupId(properties.startSeconds);
    this.directory = `${instanceDirectory}/${this.id}`;
    Deno.mkdirSync(`${this.directory}/database`, { recursive: true, mode: 0o700 });
  }

  /** Where the stored file of `path` belongs. */
  storedPath(path: string): string {
    return `${this.directory}/database/${path}`;
  }

  /** Lists a directory and makes it; parents first. */
  addDirectory(path: string, mode = 0o700): void {
    Deno.mkdirSync(this.storedPath(path), { mode: 0o700 });
    this.#dataBytes += 4096;
    this.#line(path, { size: 0, mode: DIRECTORY | mode, isDatafile: false, crc: 0 });
  }

  /** Stores a file whole, or lists it as unchanged since the parent. */
  addPlainFile(path: string, mode: number, content: Uint8Array, isUnchanged = false): void {
    const common = { mode: REGULAR_FILE | mode, isDatafile: false };
    const crc = path === "global/pg_control" ? controlFileCrc(content) : crc32c(content);
    if (content.length === 0) {
      this.#line(path, { ...common, size: 0, crc: 0 });
    } else if (isUnchanged) {
      this.#line(path, { ...common, size: -1, crc, fullSize: content.length });
    } else {
      this.#store(path, content);
      this.#line(path, { ...common, size: content.length, crc });
    }
  }

  /**
   * Stores the pages of a relation file that `isStored` picks (all unless told).
   * `content` is the whole file, a multiple of 8192 bytes.
   */
  addDataFile(
    path: string,
    mode: number,
    content: Uint8Array<ArrayBuffer>,
    options: {
      readonly compression: StoredCompression;
      readonly isStored?: (block: number) => boolean;
    },
  ): void {
    if (content.length === 0) {
      this.addStoredDataFile(path, mode, { size: 0, blockCount: 0, pageCount: 0 });
      return;
    }
    const segment = Number(/\.(\d+)$/.exec(path)?.[1] ?? 0);
    const pages = encodePages(content, options.compression, segment, options.isStored);
    const blockCount = content.length / PAGE_SIZE;
    if (pages.pageCount === 0) {
      this.addStoredDataFile(path, mode, { size: -1, blockCount, pageCount: 0 });
      return;
    }
    this.#store(path, pages.stream);
    this.addStoredDataFile(path, mode, {
      size: pages.stream.length,
      crc: crc32c(pages.stream),
      compression: options.compression,
      blockCount,
      pageCount: pages.pageCount,
      headers: this.addHeaders(pages.headers),
    });
  }

  /**
   * Appends the headers of a data file to `page_header_map`; several files may name the same place.
   */
  addHeaders(headers: Uint8Array<ArrayBuffer>): HeaderPlace {
    const blob = deflateSync(headers, { level: constants.Z_BEST_SPEED });
    this.#headerBlobs.push(blob);
    const place = { crc: crc32c(headers), offset: this.#headerBytes, size: blob.length };
    this.#headerBytes += blob.length;
    return place;
  }

  /** Lists a data file whose stored bytes the caller puts in its place. */
  addStoredDataFile(
    path: string,
    mode: number,
    file: {
      readonly size: number;
      readonly blockCount: number;
      readonly pageCount: number;
      readonly crc?: number;
      readonly compression?: StoredCompression;
      readonly headers?: HeaderPlace | undefined;
    },
  ): void {
    this.#dataBytes += Math.max(0, file.size);
    this.#line(path, {
      size: file.size,
      mode: REGULAR_FILE | mode,
      isDatafile: true,
      crc: file.crc ?? 0,
      compression: file.compression ?? "none",
      fullSize: file.pageCount * PAGE_SIZE,
      segment: Number(/\.(\d+)$/.exec(path)?.[1] ?? 0),
      blockCount: file.blockCount,
      pageCount: file.pageCount,
      headers: file.headers,
    });
  }

  /** Writes the lists; `lsns` when they became known only during the backup. */
  finish(lsns: { readonly startLsn?: string; readonly stopLsn?: string } = {}): void {
    const { directory } = this;
    const content = new TextEncoder().encode(this.#lines.join(""));
    Deno.writeFileSync(`${directory}/backup_content.control`, content, { mode: 0o600 });
    if (this.#headerBlobs.length > 0) {
      const map = Buffer.concat(this.#headerBlobs);
      Deno.writeFileSync(`${directory}/page_header_map`, map, { mode: 0o600 });
    }
    const control = this.#formatControl(crc32c(content), lsns);
    Deno.writeTextFileSync(`${directory}/backup.control`, control, { mode: 0o600 });
  }

  #formatControl(
    contentCrc: number,
    lsns: { readonly startLsn?: string; readonly stopLsn?: string },
  ): string {
    const { mode, parentId, startSeconds, serverVersion, ...rest } = this.#properties;
    return `#Configuration
backup-mode = ${mode}
stream = true
compress-alg = ${rest.compression}
compress-level = 1
from-replica = false

#Compatibility
block-size = 8192
xlog-block-size = 8192
checksum-version = ${rest.checksumVersion}
program-version = 2.5.16
server-version = ${serverVersion}

#Result backup info
timelineid = ${rest.timeline ?? 1}
start-lsn = ${lsns.startLsn ?? rest.startLsn ?? "0/2000028"}
stop-lsn = ${lsns.stopLsn ?? rest.stopLsn ?? "0/2000100"}
start-time = '${formatTime(startSeconds)}'
end-time = '${formatTime(startSeconds + 1)}'
recovery-xid = 1000
recovery-time = '${formatTime(startSeconds + 1)}'
data-bytes = ${this.#dataBytes}
wal-bytes = ${this.#walBytes}
uncompressed-bytes = ${this.#dataBytes}
pgdata-bytes = ${this.#dataBytes}
status = OK
${parentId === undefined ? "" : `parent-backup-id = '${parentId}'\n`}content-crc = ${contentCrc}
`;
  }

  #store(path: string, bytes: Uint8Array): void {
    Deno.writeFileSync(this.storedPath(path), bytes, { mode: 0o600 });
    if (path.startsWith("pg_wal/")) this.#walBytes += bytes.length;
    else this.#dataBytes += bytes.length;
  }

  #line(path: string, file: {
    readonly size: number;
    readonly mode: number;
    readonly isDatafile: boolean;
    readonly crc: number;
    readonly compression?: StoredCompression;
    readonly fullSize?: number;
    readonly segment?: number;
    readonly blockCount?: number;
    readonly pageCount?: number;
    readonly headers?: HeaderPlace | undefined;
  }): void {
    const { fullSize = 0, blockCount = 0, pageCount = 0, headers } = file;
    const first = [
      ["path", path],
      ["size", file.size],
      ["mode", file.mode],
      ["is_datafile", file.isDatafile ? 1 : 0],
      ["is_cfs", 0],
      ["crc", file.crc],
      ["compress_alg", file.compression ?? "none"],
      ["external_dir_num", 0],
      ["dbOid", databaseOid(path)],
    ] as const;
    const later: (readonly [string, number])[] = [];
    if (fullSize !== 0 && fullSize !== file.size) later.push(["full_size", fullSize]);
    if (file.segment !== undefined) later.push(["segno", file.segment]);
    if (blockCount > 0) later.push(["n_blocks", blockCount]);
    if (pageCount > 0) later.push(["n_headers", pageCount]);
    if (headers !== undefined) {
      later.push(["hdr_crc", headers.crc], ["hdr_off", headers.offset], ["hdr_size", headers.size]);
    }
    const pair = ([name, value]: readonly [string, string | number]) => `"${name}":"${value}"`;
    const tail = later.map((each) => `,${pair(each)}`).join("");
    this.#lines.push(`{${first.map(pair).join(", ")}${tail}}\n`);
  }
}

/**
 * The checksum that the control file of a cluster holds of itself; its place differs between major
 * versions.
 */
function controlFileCrc(content: Uint8Array): number {
  const view = new DataView(content.buffer, content.byteOffset, content.byteLength);
  for (let at = 256; at < 512; at += 4) {
    if (view.getUint32(at, true) === crc32c(content, 0, at)) return view.getUint32(at, true);
  }
  throw new Error("Cannot find the checksum in global/pg_control");
}
