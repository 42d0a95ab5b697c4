import { equal } from "node:assert/strict";
import { digestOf } from "#src/bytes/chunk_digest.ts";
import { sha256Of } from "#src/codecs/hashing.ts";
import { encodeBlobHeader, ENCRYPTED_BLOB_HEADER_SIZE } from "#src/pbs/format/blob.ts";
import { CATALOG_MAGIC } from "#src/pbs/format/catalog.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";

const MAGIC_SIZE = 8;
const STAMP = { uuid: new Uint8Array(16), ctime: 0 };

/** Every magic is the start of the SHA-256 of its name. */
function magicOf(name: string): string {
  const text = new TextEncoder().encode(`Proxmox Backup ${name} v1.0`);
  return sha256Of(text).subarray(0, MAGIC_SIZE).toHex();
}

function written(bytes: Uint8Array): string {
  return bytes.subarray(0, MAGIC_SIZE).toHex();
}

Deno.test("encodeBlobHeader() writes the four magics of blobs", () => {
  const names = {
    "uncompressed blob": [false, false],
    "zstd compressed blob": [true, false],
    "encrypted blob": [false, true],
    "zstd compressed encrypted blob": [true, true],
  } as const;
  for (const [name, [isCompressed, isEncrypted]] of Object.entries(names)) {
    const target = new Uint8Array(ENCRYPTED_BLOB_HEADER_SIZE);
    const [iv, tag] = [new Uint8Array(16), new Uint8Array(16)];
    encodeBlobHeader({ isCompressed, isEncrypted, crc: 0, iv, tag }, target, 0);
    equal(written(target), magicOf(name));
  }
});

Deno.test("DynamicIndexBuilder, FixedIndexBuilder and catalogs have magics of their own", () => {
  const dynamic = new DynamicIndexBuilder().finish(STAMP, sha256Of).bytes;
  equal(written(dynamic), magicOf("dynamic sized chunk index"));
  const builder = new FixedIndexBuilder(1, 1);
  builder.add(digestOf(new Uint8Array(32)));
  equal(written(builder.finish(STAMP, sha256Of).bytes), magicOf("fixed sized chunk index"));
  equal(written(CATALOG_MAGIC), magicOf("Catalog file"));
});
