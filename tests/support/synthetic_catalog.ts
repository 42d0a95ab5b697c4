/**
 * A catalog of any logical size that takes seconds to make and little disk: thousands of relation
 * files share the stored bytes of a few templates by hard links. Every page is valid and tells
 * where it belongs.
 *
 * @module
 */

import { crc32c } from "#src/bytes/crc32c.ts";
import { pageChecksum } from "#src/pgprobackup/format/page_checksum.ts";
import { BackupWriter, createInstance, encodePages } from "#tests/support/backup_writer.ts";

const PAGE_SIZE = 8192;
const PAGE_HEADER_SIZE = 24;
const FILES_PER_DATABASE = 1000;
const TEMPLATE_COUNT = 16;
const FIRST_OID = 16_384;

/** The size of a synthetic catalog. */
export interface SyntheticOptions {
  readonly fileCount: number;
  readonly blocksPerFile: number;
}

/** A catalog that {@link buildSyntheticCatalog} made. */
export interface SyntheticCatalog {
  readonly instance: string;
  readonly backupId: string;
  readonly logicalBytes: number;
  /** Path of the file number `index` in the data directory. */
  pathOf(index: number): string;
  /** What block `block` of the file number `index` must hold. */
  pageOf(index: number, block: number): Uint8Array<ArrayBuffer>;
}

function relationPath(index: number): string {
  const database = FIRST_OID + Math.floor(index / FILES_PER_DATABASE);
  return `base/${database}/${FIRST_OID + (index % FILES_PER_DATABASE)}`;
}

/** A valid heap page: header, then text that repeats the template's number and the block's. */
function syntheticPage(template: number, block: number): Uint8Array<ArrayBuffer> {
  const words = new Int32Array(PAGE_SIZE / 4);
  const page = new Uint8Array(words.buffer);
  const view = new DataView(words.buffer);
  const text = new TextEncoder().encode(`template ${template} block ${block} `);
  for (let at = PAGE_HEADER_SIZE; at < PAGE_SIZE; at += text.length) {
    page.set(text.subarray(0, Math.min(text.length, PAGE_SIZE - at)), at);
  }
  view.setUint32(4, 0x1000000 + block, true); // pd_lsn, low half
  view.setUint16(12, PAGE_HEADER_SIZE, true); // pd_lower
  view.setUint16(14, PAGE_HEADER_SIZE, true); // pd_upper
  view.setUint16(16, PAGE_SIZE, true); // pd_special
  view.setUint16(18, PAGE_SIZE | 4, true); // page size and layout version
  view.setUint16(8, pageChecksum(words, 0, block), true);
  return page;
}

/** Makes a catalog with one FULL backup (zlib, checksums on) in `catalog`, which must not exist. */
export function buildSyntheticCatalog(
  catalog: string,
  { fileCount, blocksPerFile }: SyntheticOptions,
): SyntheticCatalog {
  const instance = "synthetic";
  const config = { systemIdentifier: "7000000000000000001", walSegmentBytes: 16 << 20 };
  const writer = new BackupWriter(createInstance(catalog, instance, config), {
    mode: "FULL",
    startSeconds: 1_800_000_000,
    serverVersion: 15,
    checksumVersion: 1,
    compression: "zlib",
  });
  for (const path of ["base", "global", "pg_tblspc", "pg_wal"]) writer.addDirectory(path);
  for (let first = 0; first < fileCount; first += FILES_PER_DATABASE) {
    writer.addDirectory(relationPath(first).replace(/\/\d+$/, ""));
  }
  const templates = Array.from({ length: TEMPLATE_COUNT }, (_, template) => {
    const content = new Uint8Array(blocksPerFile * PAGE_SIZE);
    for (let block = 0; block < blocksPerFile; block++) {
      content.set(syntheticPage(template, block), block * PAGE_SIZE);
    }
    const pages = encodePages(content, "zlib");
    const path = `${writer.directory}/template${template}`;
    Deno.writeFileSync(path, pages.stream, { mode: 0o600 });
    return {
      path,
      file: {
        size: pages.stream.length,
        crc: crc32c(pages.stream),
        compression: "zlib" as const,
        blockCount: blocksPerFile,
        pageCount: pages.pageCount,
        headers: writer.addHeaders(pages.headers),
      },
    };
  });
  for (let index = 0; index < fileCount; index++) {
    const template = templates[index % TEMPLATE_COUNT]!;
    const path = relationPath(index);
    Deno.linkSync(template.path, writer.storedPath(path));
    writer.addStoredDataFile(path, 0o600, template.file);
  }
  for (const { path } of templates) Deno.removeSync(path);
  writer.addPlainFile("PG_VERSION", 0o600, new TextEncoder().encode("15\n"));
  writer.finish();
  return {
    instance,
    backupId: writer.id,
    logicalBytes: fileCount * blocksPerFile * PAGE_SIZE,
    pathOf: relationPath,
    pageOf: (index, block) => syntheticPage(index % TEMPLATE_COUNT, block),
  };
}
