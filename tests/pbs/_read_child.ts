/**
 * Reads every blob, index, chunk and manifest of the golden datastore, and opens a key: without
 * FFI. Prints what it read.
 *
 *     deno run --allow-read --allow-env tests/pbs/_read_child.ts
 *
 * @module
 */

import { join } from "node:path";
import { builtInCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { parseManifest } from "#src/pbs/format/manifest.ts";
import { CatalogReader } from "#src/pbs/format/catalog_reader.ts";
import { checkManifest } from "#src/pbs/crypt/manifest_signature.ts";
import { unsealKey } from "#src/pbs/crypt/master_key.ts";
import { readStream } from "#tests/pbs/_stored_stream.ts";
import {
  expectedDatastore,
  goldenKey,
  hasChunks,
  MASTER_PASSPHRASE,
  PBS_KEYS,
  readIndex,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const codec = new BlobCodec(builtInCodecs());
const counts = { manifests: 0, blobs: 0, streams: 0, catalogEntries: 0, sealedKeys: 0 };
for (const snapshot of expectedDatastore().snapshots) {
  const directory = snapshotPath(snapshot);
  const crypt = goldenKey(snapshot.key);
  checkManifest(
    parseManifest(codec.decodeBytes(Deno.readFileSync(join(directory, "index.json.blob")))),
    crypt,
  );
  counts.manifests++;
  for (const { name } of Deno.readDirSync(directory)) {
    const path = join(directory, name);
    if (name.endsWith(".blob")) {
      const plain = codec.decodeBytes(Deno.readFileSync(path), { crypt });
      counts.blobs++;
      if (name !== "rsa-encrypted.key.blob") continue;
      const pem = Deno.readTextFileSync(join(PBS_KEYS, "master-private.pem"));
      unsealKey(pem, MASTER_PASSPHRASE, plain);
      counts.sealedKeys++;
    } else if (name.endsWith("idx")) {
      const index = readIndex(path);
      if (!hasChunks(index)) continue;
      const stream = readStream(index, crypt, codec);
      counts.streams++;
      if (!name.endsWith(".pcat1.didx")) continue;
      const read = (offset: number, size: number) => stream.subarray(offset, offset + size);
      counts.catalogEntries += [...new CatalogReader({ size: stream.length, read }).walk()].length;
    }
  }
}
console.log(JSON.stringify(counts));
