import assert from "node:assert/strict";
import { AuthError, FormatError, LimitError } from "#src/errors.ts";
import {
  decryptByRsa,
  describeRsaPublicKey,
  encryptByRsa,
  generateRsaKeyPair,
  isLockedPrivateKey,
} from "#src/codecs/rsa.ts";

const KEYS = new URL("../fixtures/pbs/keys/", import.meta.url);
const PUBLIC = Deno.readTextFileSync(new URL("master-public.pem", KEYS));
const PRIVATE = Deno.readTextFileSync(new URL("master-private.pem", KEYS));
const CONTENT = new TextEncoder().encode('{"kdf":null}');

Deno.test("decryptByRsa() reads what encryptByRsa() writes, with keys of the real client", () => {
  const encrypted = encryptByRsa(PUBLIC, CONTENT);
  assert.equal(encrypted.length, 512);
  assert.deepEqual(decryptByRsa(PRIVATE, "master-pass", encrypted), CONTENT);
});

Deno.test("decryptByRsa() refuses a wrong passphrase", () => {
  const encrypted = encryptByRsa(PUBLIC, CONTENT);
  for (const passphrase of ["wrong-pass", "", undefined]) {
    assert.throws(() => decryptByRsa(PRIVATE, passphrase, encrypted), (error) => {
      assert.ok(error instanceof AuthError, String(error));
      assert.equal(error.code, "passphrase");
      return true;
    });
  }
});

Deno.test("decryptByRsa() does not give the content of damaged data", () => {
  const encrypted = encryptByRsa(PUBLIC, CONTENT);
  encrypted[100]! ^= 1;
  let result: Uint8Array | undefined;
  try {
    result = decryptByRsa(PRIVATE, "master-pass", encrypted);
  } catch (error) {
    assert.ok(error instanceof AuthError);
  }
  assert.notDeepEqual(result, CONTENT);
  assert.throws(() => decryptByRsa(PRIVATE, "master-pass", new Uint8Array(3)), AuthError);
});

Deno.test("encryptByRsa() refuses content that the key has no room for", () => {
  assert.equal(encryptByRsa(PUBLIC, new Uint8Array(501)).length, 512);
  assert.throws(() => encryptByRsa(PUBLIC, new Uint8Array(502)), LimitError);
});

Deno.test("describeRsaPublicKey() tells modulus and exponent", () => {
  const { modulus, exponent, bits } = describeRsaPublicKey(PUBLIC);
  assert.match(modulus, /^B30D818FD784[0-9A-F]{1012}$/);
  assert.equal(exponent, "65537");
  assert.equal(bits, 4096);
});

Deno.test("describeRsaPublicKey() refuses what is no public RSA key", () => {
  for (const text of ["", "text", PUBLIC.replace("MII", "MIX"), PRIVATE]) {
    assert.throws(() => describeRsaPublicKey(text), FormatError, text.slice(0, 40));
  }
});

Deno.test("generateRsaKeyPair() makes keys that only the passphrase unlocks", () => {
  const { publicPem, privatePem } = generateRsaKeyPair("a passphrase");
  assert.match(publicPem, /^-----BEGIN PUBLIC KEY-----\n/);
  assert.match(privatePem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  assert.ok(isLockedPrivateKey(privatePem));
  assert.equal(describeRsaPublicKey(publicPem).bits, 4096);
  const encrypted = encryptByRsa(publicPem, CONTENT);
  assert.deepEqual(decryptByRsa(privatePem, "a passphrase", encrypted), CONTENT);
  assert.throws(() => decryptByRsa(privatePem, "another one", encrypted), AuthError);
});
