import { deepEqual, equal, notDeepEqual, ok, throws } from "node:assert/strict";
import { join } from "node:path";
import { decryptRsa, describeRsaKey, encryptRsa, generateRsaKeys } from "#src/codecs/rsa.ts";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { builtInCodecs } from "#src/codecs/codecs.ts";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { formatKeyFile, makeKeyFile, unlockKey } from "#src/pbs/format/key_file.ts";
import { sealKey, unsealKey } from "#src/pbs/crypt/master_key.ts";
import { cryptoVectors } from "#tests/support/crypto_vectors.ts";
import {
  expectedDatastore,
  MASTER_PASSPHRASE,
  PBS_KEYS,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const PUBLIC_PEM = Deno.readTextFileSync(join(PBS_KEYS, "master-public.pem"));
const PRIVATE_PEM = Deno.readTextFileSync(join(PBS_KEYS, "master-private.pem"));
const VECTOR = cryptoVectors().rsa_key_blob;
const CREATED = "2024-06-05T12:00:00+02:00";
const NOW = "2026-11-21T10:00:00+00:00";

function goldenSealedKey(): Uint8Array<ArrayBuffer> {
  const snapshot = expectedDatastore().snapshots.find((one) => one.snapshot === VECTOR.snapshot)!;
  const stored = Deno.readFileSync(join(snapshotPath(snapshot), VECTOR.file));
  equal(stored.length, VECTOR.blob_size);
  equal(keyCrypto.sha256(stored).toHex(), VECTOR.blob_sha256);
  return new BlobCodec(builtInCodecs()).decodeBytes(stored, { isEncrypted: false });
}

Deno.test("unsealKey() opens the golden key with the golden master key", () => {
  const sealed = goldenSealedKey();
  const text = new TextDecoder().decode(decryptRsa(PRIVATE_PEM, MASTER_PASSPHRASE, sealed));
  equal(text, VECTOR.plaintext_text);
  const file = unsealKey(PRIVATE_PEM, MASTER_PASSPHRASE, sealed);
  equal(formatKeyFile(file), VECTOR.plaintext_text);
  equal(unlockKey(file, undefined, keyCrypto).toHex(), VECTOR.enc_key);
});

Deno.test("sealKey() makes what unsealKey() opens, with the times of the key", () => {
  const crypt = new CryptConfig(Uint8Array.from({ length: 32 }, (_, index) => index));
  const sealed = sealKey(PUBLIC_PEM, { crypt, created: CREATED }, NOW);
  equal(sealed.length, 512);
  notDeepEqual(sealKey(PUBLIC_PEM, { crypt, created: CREATED }, NOW), sealed);
  const file = unsealKey(PRIVATE_PEM, MASTER_PASSPHRASE, sealed);
  equal(file.created, CREATED);
  equal(file.modified, NOW);
  equal(file.hint, undefined);
  equal(CryptConfig.fromKeyFile(file).fingerprint, crypt.fingerprint);
});

Deno.test("unsealKey() says what is wrong", () => {
  const sealed = goldenSealedKey();
  throws(() => unsealKey(PRIVATE_PEM, "wrong", sealed), AuthError);
  throws(() => unsealKey(PRIVATE_PEM, undefined, sealed), AuthError);
  throws(() => unsealKey(PUBLIC_PEM, undefined, sealed), FormatError);
  throws(() => unsealKey("nonsense", undefined, sealed), FormatError);
  for (
    const bad of [sealed.subarray(1), new Uint8Array(0), new Uint8Array(512), sealed.toReversed()]
  ) {
    throws(() => unsealKey(PRIVATE_PEM, MASTER_PASSPHRASE, bad), IntegrityError);
  }
  const notAKey = encryptRsa(PUBLIC_PEM, new TextEncoder().encode("{}"));
  throws(() => unsealKey(PRIVATE_PEM, MASTER_PASSPHRASE, notAKey), FormatError);
  const noise = encryptRsa(PUBLIC_PEM, Uint8Array.of(0x9c, 0x01, 0xff));
  throws(() => unsealKey(PRIVATE_PEM, MASTER_PASSPHRASE, noise), IntegrityError);
  const other = generateRsaKeys("other-pass");
  throws(() => unsealKey(other.privatePem, "other-pass", sealed), IntegrityError);
});

Deno.test("encryptRsa() refuses what is no RSA public key, and too much", () => {
  throws(() => encryptRsa("-----BEGIN PUBLIC KEY-----", new Uint8Array(1)), FormatError);
  throws(() => encryptRsa(PUBLIC_PEM, new Uint8Array(502)), LimitError);
  equal(encryptRsa(PUBLIC_PEM, new Uint8Array(501)).length, 512);
});

Deno.test("describeRsaKey() tells modulus and exponent", () => {
  const { modulus, exponent, bits } = describeRsaKey(PUBLIC_PEM);
  equal(modulus.length, 512);
  equal(exponent, 65_537n);
  equal(bits, 4096);
});

Deno.test("generateRsaKeys() makes a pair that works, and that OpenSSL reads", async () => {
  const { publicPem, privatePem } = generateRsaKeys("master-secret");
  ok(publicPem.startsWith("-----BEGIN PUBLIC KEY-----\n"));
  ok(privatePem.startsWith("-----BEGIN ENCRYPTED PRIVATE KEY-----\n"));
  equal(describeRsaKey(publicPem).bits, 4096);
  const text = Uint8Array.of(1, 2, 3);
  deepEqual(decryptRsa(privatePem, "master-secret", encryptRsa(publicPem, text)), text);
  throws(() => decryptRsa(privatePem, "other", text), AuthError);
  const directory = Deno.makeTempDirSync();
  try {
    Deno.writeTextFileSync(`${directory}/private.pem`, privatePem);
    const { stdout } = await new Deno.Command("openssl", {
      args: ["pkey", "-in", `${directory}/private.pem`, "-passin", "pass:master-secret", "-pubout"],
    }).output();
    equal(new TextDecoder().decode(stdout), publicPem);
  } catch (error) {
    // Not installed everywhere.
    if (!(error instanceof Deno.errors.NotFound)) throw error;
  } finally {
    Deno.removeSync(directory, { recursive: true });
  }
});

Deno.test("makeKeyFile() keeps the time a key was made when its passphrase changes", () => {
  const key = keyCrypto.randomBytes(32);
  const first = makeKeyFile({ key, kind: "none", now: CREATED }, keyCrypto);
  const passphrase = new TextEncoder().encode("secret");
  const changed = makeKeyFile(
    { key, kind: "pbkdf2", passphrase, now: NOW, created: first.created, hint: "h" },
    keyCrypto,
  );
  equal(changed.created, CREATED);
  equal(changed.modified, NOW);
  deepEqual(unlockKey(changed, passphrase, keyCrypto), new Uint8Array(key));
});
