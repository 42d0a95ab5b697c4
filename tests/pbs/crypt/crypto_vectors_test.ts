/**
 * The worked values of `crypto-vectors.json`, all of them but those of the master key
 * (`master_key_test.ts`), the catalog (`format/catalog_test.ts`) and SipHash
 * (`tests/bytes/siphash_test.ts`).
 */

import { deepEqual, equal } from "node:assert/strict";
import { join } from "node:path";
import { digestBytes } from "#src/bytes/chunk_digest.ts";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { builtInCodecs, type Codecs, nativeCodecs } from "#src/codecs/codecs.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { canonicalJson } from "#src/pbs/format/canonical_json.ts";
import { DynamicIndexBuilder } from "#src/pbs/format/dynamic_index.ts";
import { FixedIndexBuilder } from "#src/pbs/format/fixed_index.ts";
import { formatFingerprint, parseKeyFile } from "#src/pbs/format/key_file.ts";
import { parseManifest, signedText } from "#src/pbs/format/manifest.ts";
import { signManifest } from "#src/pbs/crypt/manifest_signature.ts";
import { cryptoVectors } from "#tests/support/crypto_vectors.ts";
import { PBS_KEYS } from "#tests/support/pbs_fixtures.ts";

const VECTORS = cryptoVectors();
const CODECS: readonly [string, Codecs][] = [
  ["native codecs", nativeCodecs()],
  ["built-in codecs", builtInCodecs()],
];
const encoder = new TextEncoder();

function nativeOf(codecs: Codecs, bytes: Uint8Array) {
  const buffer = codecs.allocate(bytes.length);
  buffer.bytes.set(bytes);
  return buffer;
}

for (const vector of VECTORS.key_files) {
  const name = vector.file ?? vector.note;
  Deno.test(`CryptConfig derives what the vectors say: ${name}`, () => {
    const key = Uint8Array.fromHex(vector.enc_key);
    const crypt = new CryptConfig(key);
    equal(crypt.idKey.toHex(), vector.id_key);
    equal(crypt.fingerprint, vector.fingerprint_text);
    if (vector.file !== null) {
      const text = Deno.readTextFileSync(join(PBS_KEYS, vector.file.split("/").at(-1)!));
      const passphrase = encoder.encode(vector.passphrase_text ?? "");
      equal(CryptConfig.fromKeyFile(parseKeyFile(text), passphrase).key.toHex(), vector.enc_key);
    }
    if (vector.salt === undefined) return;
    const salt = Uint8Array.fromHex(vector.salt);
    const passphrase = encoder.encode(vector.passphrase_text);
    const derived = vector.kdf === "Scrypt"
      ? keyCrypto.scrypt(passphrase, salt, { n: vector.n!, r: vector.r!, p: vector.p! }, 32)
      : keyCrypto.pbkdf2(passphrase, salt, vector.iter!, 32);
    equal(derived.toHex(), vector.derived_key);
    const { tag, sealed } = keyCrypto.seal(derived, Uint8Array.fromHex(vector.iv!), key);
    equal(vector.iv! + tag.toHex() + sealed.toHex(), vector.data);
  });
}

Deno.test("CryptConfig has the fingerprint of the vectors, long and short", () => {
  const { prefix_text, prefix_sha256, enc_key, id_key, hashed, fingerprint_text, short_text } =
    VECTORS.fingerprint;
  equal(keyCrypto.sha256(encoder.encode(prefix_text)).toHex(), prefix_sha256);
  equal(prefix_sha256 + id_key, hashed);
  equal(formatFingerprint(keyCrypto.sha256(Uint8Array.fromHex(hashed))), fingerprint_text);
  const crypt = new CryptConfig(Uint8Array.fromHex(enc_key));
  equal(crypt.fingerprint, fingerprint_text);
  equal(crypt.shortFingerprint, short_text);
});

for (const [name, codecs] of CODECS) {
  Deno.test(`BlobCodec.digest() gives the digests of the vectors, with ${name}`, () => {
    const codec = new BlobCodec(codecs);
    const crypt = new CryptConfig(Uint8Array.from({ length: 32 }, (_, index) => index));
    for (const vector of VECTORS.chunk_digests) {
      equal(crypt.idKey.toHex(), vector.id_key);
      const data = vector.data === undefined
        ? new Uint8Array(vector.data_note.startsWith("4 MiB") ? 4 << 20 : 65_536)
        : Uint8Array.fromHex(vector.data);
      const plain = nativeOf(codecs, data);
      equal(codec.digest(plain, 0, data.length), vector.plain_digest);
      equal(codec.digest(plain, 0, data.length, crypt), vector.encrypted_digest);
    }
  });

  Deno.test(`BlobCodec makes and reads the blobs of the vectors, with ${name}`, () => {
    for (const vector of VECTORS.blobs) {
      const iv = vector.iv === undefined ? undefined : Uint8Array.fromHex(vector.iv);
      const codec = new BlobCodec(codecs, (target) => target.set(iv!));
      const crypt = vector.enc_key === undefined
        ? undefined
        : new CryptConfig(Uint8Array.fromHex(vector.enc_key));
      const data = Uint8Array.fromHex(vector.data);
      const blob = Uint8Array.fromHex(vector.blob);
      deepEqual(codec.decodeBytes(blob, { crypt, size: data.length }), data);
      const isCompressed = vector.frame !== undefined;
      const encoded = codec.encodeBytes(data, { compress: isCompressed, crypt });
      if (!isCompressed) equal(encoded.toHex(), vector.blob);
      else deepEqual(encoded.subarray(0, 8), blob.subarray(0, 8));
      deepEqual(codec.decodeBytes(encoded, { crypt }), data);
    }
  });
}

for (const vector of VECTORS.manifest_signatures) {
  if (vector.value !== undefined) {
    Deno.test("canonicalJson() writes what the vectors say", () => {
      equal(encoder.encode(canonicalJson(vector.value!)).toHex(), vector.canonical_hex);
    });
    continue;
  }
  Deno.test(`signManifest() makes the signature of the vectors: ${vector.snapshot ?? "elsa"}`, () => {
    const manifest = parseManifest(encoder.encode(vector.canonical_text));
    equal(new TextDecoder().decode(signedText(manifest)), vector.canonical_text);
    equal(keyCrypto.sha256(signedText(manifest)).toHex(), vector.canonical_sha256);
    equal(
      keyCrypto.hmacSha256(Uint8Array.fromHex(vector.id_key!), signedText(manifest)).toHex(),
      vector.signature,
    );
    const known = VECTORS.key_files.find(({ id_key }) => id_key === vector.id_key)?.enc_key ??
      vector.enc_key!;
    const crypt = new CryptConfig(Uint8Array.fromHex(known));
    equal(signManifest(manifest, crypt).signature, vector.signature);
  });
}

Deno.test("DynamicIndexBuilder and FixedIndexBuilder give the checksums of the vectors", () => {
  const { dynamic, fixed } = VECTORS.index_checksums;
  const stamp = { uuid: new Uint8Array(16), ctime: 0 };
  const builder = new DynamicIndexBuilder();
  for (const { digest, end } of dynamic.entries) builder.add(digest, end);
  equal(builder.finish(stamp, keyCrypto.sha256).checksum, dynamic.index_csum);
  const fixedBuilder = new FixedIndexBuilder(9, 8);
  for (const digest of fixed.digests) fixedBuilder.add(digest);
  equal(fixedBuilder.finish(stamp, keyCrypto.sha256).checksum, fixed.index_csum);
  equal(digestBytes(fixed.digests[0]!).length, 32);
});
