import assert from "node:assert/strict";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import { decryptRsa, describeRsaKey, encryptRsa, generateRsaKeys } from "#src/codecs/rsa.ts";

const KEYS = new URL("../fixtures/pbs/keys/", import.meta.url);
const PUBLIC = Deno.readTextFileSync(new URL("master-public.pem", KEYS));
const PRIVATE = Deno.readTextFileSync(new URL("master-private.pem", KEYS));
const CONTENT = new TextEncoder().encode('{"kdf":null}');

Deno.test("decryptRsa() reads what encryptRsa() writes, with keys of the real client", () => {
  const encrypted = encryptRsa(PUBLIC, CONTENT);
  assert.equal(encrypted.length, 512);
  assert.deepEqual(decryptRsa(PRIVATE, "master-pass", encrypted), CONTENT);
});

Deno.test("decryptRsa() refuses a wrong passphrase", () => {
  const encrypted = encryptRsa(PUBLIC, CONTENT);
  for (const passphrase of ["wrong-pass", "", undefined]) {
    assert.throws(() => decryptRsa(PRIVATE, passphrase, encrypted), (error) => {
      assert.ok(error instanceof AuthError, String(error));
      assert.equal(error.code, "passphrase");
      return true;
    });
  }
});

Deno.test("decryptRsa() does not give the content of damaged data", () => {
  const encrypted = encryptRsa(PUBLIC, CONTENT);
  encrypted[100]! ^= 1;
  let result: Uint8Array | undefined;
  try {
    result = decryptRsa(PRIVATE, "master-pass", encrypted);
  } catch (error) {
    assert.ok(error instanceof IntegrityError);
  }
  assert.notDeepEqual(result, CONTENT);
  assert.throws(() => decryptRsa(PRIVATE, "master-pass", new Uint8Array(3)), IntegrityError);
});

Deno.test("encryptRsa() refuses content that the key has no room for", () => {
  assert.equal(encryptRsa(PUBLIC, new Uint8Array(501)).length, 512);
  assert.throws(() => encryptRsa(PUBLIC, new Uint8Array(502)), LimitError);
});

Deno.test("describeRsaKey() tells modulus and exponent", () => {
  const { modulus, exponent, bits } = describeRsaKey(PUBLIC);
  assert.equal(modulus.length, 512);
  assert.match(modulus.toHex(), /^b30d818fd784/);
  assert.equal(exponent, 65537n);
  assert.equal(bits, 4096);
});

Deno.test("describeRsaKey() refuses what is no public RSA key", () => {
  for (const text of ["", "text", PUBLIC.replace("MII", "MIX"), PRIVATE]) {
    assert.throws(() => describeRsaKey(text), FormatError, text.slice(0, 40));
  }
});

Deno.test("generateRsaKeys() makes keys that only the passphrase unlocks", () => {
  const { publicPem, privatePem } = generateRsaKeys("a passphrase");
  assert.match(publicPem, /^-----BEGIN PUBLIC KEY-----\n/);
  assert.match(privatePem, /^-----BEGIN ENCRYPTED PRIVATE KEY-----\n/);
  assert.equal(describeRsaKey(publicPem).bits, 4096);
  const encrypted = encryptRsa(publicPem, CONTENT);
  assert.deepEqual(decryptRsa(privatePem, "a passphrase", encrypted), CONTENT);
  assert.throws(() => decryptRsa(privatePem, "another one", encrypted), AuthError);
});
