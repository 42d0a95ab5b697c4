import { deflateSync, zstdCompressSync } from "node:zlib";
import { crc32c } from "#src/bytes/crc32c.ts";
import { formatBackupId } from "#src/pgprobackup/format/backup_id.ts";
import type { PAGE_COMPRESSION_NAMES } from "#src/pgprobackup/format/content.ts";
import { pageChecksum } from "#src/pgprobackup/format/page_checksum.ts";
import { PAGE_MAP_ELEMENT_SIZE } from "#src/pgprobackup/format/page_map.ts";
import { PAGE_SIZE } from "#src/pgprobackup/format/page_stream.ts";
import { compressLz4Literally, compressPglz } from "./_compressors.ts";

export type CompressionName = typeof PAGE_COMPRESSION_NAMES[number];

/** A file, directory or relation for the list of a backup. */
export type Entry =
  | { path: string; external?: number; mode?: number; directory: true }
  | {
    path: string;
    external?: number;
    mode?: number;
    /** `unchanged`: listed with size -1. */
    content: Uint8Array | "unchanged";
    fullSize?: number;
    isCfs?: boolean;
  }
  | Relation;

/** A relation segment for the list of a backup. */
export interface Relation {
  path: string;
  external?: number;
  mode?: number;
  blockCount: number;
  segment?: number;
  compression?: CompressionName;
  /** Block number to page; none: size -1 (or 0 when the relation is empty). */
  pages: ReadonlyMap<number, Uint8Array>;
  /** Leave the relation out of the header map. */
  withoutMap?: boolean;
}

export interface BackupSpec {
  startTime: number;
  entries: readonly Entry[];
  /** Start time of the parent: makes a DELTA backup. */
  parent?: number;
  externalDirectories?: readonly string[];
  /** Lines that replace or follow those of the control file. */
  control?: Readonly<Record<string, string>>;
  checksums?: boolean;
}

/** Writes small catalogs in the format's form, for what no fixture has. */
export class CatalogWriter {
  readonly store: string;
  readonly #instance: string;

  constructor(store: string, instance = "main") {
    this.store = store;
    this.#instance = `${store}/backups/${instance}`;
    Deno.mkdirSync(this.#instance, { recursive: true });
    Deno.mkdirSync(`${store}/wal/${instance}`, { recursive: true });
    Deno.writeTextFileSync(
      `${this.#instance}/pg_probackup.conf`,
      "# Backup instance information\npgdata = /data\nsystem-identifier = 7710439117343273641\n" +
        "xlog-seg-size = 16777216\n",
    );
  }

  directory(startTime: number): string {
    return `${this.#instance}/${formatBackupId(startTime)}`;
  }

  /** @returns the id */
  write(backup: BackupSpec): string {
    const directory = this.directory(backup.startTime);
    Deno.mkdirSync(`${directory}/database`, { recursive: true });
    const map: Uint8Array[] = [];
    const lines = backup.entries.map((entry) => this.#writeEntry(directory, entry, map));
    if (map.length > 0) Deno.writeFileSync(`${directory}/page_header_map`, concat(map));
    const list = new TextEncoder().encode(lines.map((line) => line + "\n").join(""));
    Deno.writeFileSync(`${directory}/backup_content.control`, list);
    const values: Record<string, string> = {
      "backup-mode": backup.parent === undefined ? "FULL" : "DELTA",
      "stream": "true",
      "compress-alg": "none",
      "block-size": "8192",
      "xlog-block-size": "8192",
      "checksum-version": backup.checksums === false ? "0" : "1",
      "program-version": "2.5.16",
      "server-version": "15",
      "start-time": `'${timeText(backup.startTime)}'`,
      "recovery-time": `'${timeText(backup.startTime + 1)}'`,
      "status": "OK",
      "content-crc": String(crc32c(list)),
    };
    if (backup.parent !== undefined) {
      values["parent-backup-id"] = `'${formatBackupId(backup.parent)}'`;
    }
    if (backup.externalDirectories !== undefined) {
      values["external-dirs"] = `'${backup.externalDirectories.join(":")}'`;
    }
    Object.assign(values, backup.control);
    Deno.writeTextFileSync(
      `${directory}/backup.control`,
      Object.entries(values).map(([key, value]) => `${key} = ${value}\n`).join(""),
    );
    return formatBackupId(backup.startTime);
  }

  #writeEntry(directory: string, entry: Entry, map: Uint8Array[]): string {
    const external = entry.external ?? 0;
    const root = external === 0
      ? `${directory}/database`
      : `${directory}/external_directories/externaldir${external}`;
    const path = `${root}/${entry.path}`;
    const common = { path: entry.path, external_dir_num: external };
    if ("directory" in entry) {
      Deno.mkdirSync(path, { recursive: true });
      return listLine({ ...common, size: 0, mode: entry.mode ?? 0o040700, is_datafile: 0 });
    }
    Deno.mkdirSync(path.slice(0, path.lastIndexOf("/")), { recursive: true });
    const mode = entry.mode ?? 0o100600;
    if ("content" in entry) {
      const isUnchanged = entry.content === "unchanged";
      const size = isUnchanged ? -1 : entry.content.length;
      if (size > 0) Deno.writeFileSync(path, entry.content as Uint8Array);
      const fullSize = entry.fullSize === undefined ? {} : { full_size: entry.fullSize };
      const isCfs = entry.isCfs ? 1 : 0;
      return listLine({ ...common, size, mode, is_datafile: isCfs, is_cfs: isCfs, ...fullSize });
    }
    const compression = entry.compression ?? "none";
    const stream = encodeStream(entry.pages, compression);
    if (stream.bytes.length > 0) Deno.writeFileSync(path, stream.bytes);
    const isStored = entry.pages.size > 0;
    const isEmpty = !isStored && entry.blockCount === 0;
    const fields: Record<string, string | number> = {
      ...common,
      size: isStored ? stream.bytes.length : isEmpty ? 0 : -1,
      mode,
      is_datafile: 1,
      crc: crc32c(stream.bytes),
      compress_alg: isStored ? compression : "none",
      segno: entry.segment ?? 0,
    };
    if (entry.blockCount > 0) fields.n_blocks = entry.blockCount;
    if (isStored && !entry.withoutMap) {
      const packed = deflateSync(stream.headers, { level: 1 });
      fields.n_headers = entry.pages.size;
      fields.hdr_crc = crc32c(stream.headers);
      fields.hdr_off = map.reduce((sum, part) => sum + part.length, 0);
      fields.hdr_size = packed.length;
      map.push(packed);
    }
    return listLine(fields);
  }
}

function listLine(fields: Readonly<Record<string, string | number>>): string {
  return `{${Object.entries(fields).map(([key, value]) => `"${key}":"${value}"`).join(", ")}}`;
}

function timeText(seconds: number): string {
  return new Date(seconds * 1000).toISOString().slice(0, 19).replace("T", " ") + "+00";
}

function concat(parts: readonly Uint8Array[]): Uint8Array {
  const result = new Uint8Array(parts.reduce((sum, part) => sum + part.length, 0));
  let offset = 0;
  for (const part of parts) {
    result.set(part, offset);
    offset += part.length;
  }
  return result;
}

function compressPage(page: Uint8Array, compression: CompressionName): Uint8Array {
  switch (compression) {
    case "none":
      return page;
    case "zlib":
      return deflateSync(page, { level: 1 });
    case "pglz":
      return compressPglz(page);
    case "lz4":
      return compressLz4Literally(page);
    case "zstd":
      return zstdCompressSync(page);
  }
}

/** Records and the array of the header map. */
export function encodeStream(
  pages: ReadonlyMap<number, Uint8Array>,
  compression: CompressionName,
): { bytes: Uint8Array; headers: Uint8Array } {
  const records: Uint8Array[] = [];
  const headers = new Uint8Array((pages.size + 1) * PAGE_MAP_ELEMENT_SIZE);
  const view = new DataView(headers.buffer);
  let position = 0;
  let count = 0;
  for (const [block, page] of [...pages].sort(([a], [b]) => a - b)) {
    let payload = compressPage(page, compression);
    if (payload.length >= PAGE_SIZE) payload = page;
    const header = new DataView(new ArrayBuffer(8));
    header.setUint32(0, block, true);
    header.setInt32(4, payload.length, true);
    records.push(new Uint8Array(header.buffer), payload);
    view.setInt32(count * PAGE_MAP_ELEMENT_SIZE + 8, block, true);
    view.setInt32(count * PAGE_MAP_ELEMENT_SIZE + 12, position, true);
    position += 8 + payload.length;
    count += 1;
  }
  view.setInt32(count * PAGE_MAP_ELEMENT_SIZE + 12, position, true);
  return { bytes: concat(records), headers };
}

/**
 * A page with a sane header and checksum; `seed` decides the content, which compresses by about a
 * half.
 */
export function makePage(block: number, seed: number, segment = 0): Uint8Array {
  const page = new Uint8Array(PAGE_SIZE);
  let state = (Math.imul(seed + 1, 2654435761) ^ Math.imul(block + 1, 40503)) >>> 0;
  for (let offset = 24; offset < PAGE_SIZE; offset += 2) {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    page[offset] = state >>> 24;
    page[offset + 1] = 7;
  }
  const view = new DataView(page.buffer);
  view.setUint16(12, 24, true);
  view.setUint16(14, 2048, true);
  view.setUint16(16, PAGE_SIZE, true);
  view.setUint16(18, PAGE_SIZE | 4, true);
  view.setUint16(8, pageChecksum(new Int32Array(page.buffer), 0, segment * 131072 + block), true);
  return page;
}
