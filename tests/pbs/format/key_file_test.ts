import assert from "node:assert/strict";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { AuthError, FormatError, LimitError } from "#src/errors.ts";
import {
  formatFingerprint,
  formatKeyFile,
  keyFingerprint,
  makeKeyFile,
  parseKeyFile,
  unlockKey,
} from "#src/pbs/format/key_file.ts";

const KEYS = new URL("../../fixtures/pbs/keys/", import.meta.url);
const PASSPHRASE = new TextEncoder().encode("goldkey-pass");
const KINDS = ["none", "scrypt", "pbkdf2"] as const;

function fixture(kind: string): string {
  return Deno.readTextFileSync(new URL(`key-${kind}.json`, KEYS));
}

for (const kind of KINDS) {
  Deno.test(`unlockKey() opens a key file of the real client (${kind})`, () => {
    const file = parseKeyFile(fixture(kind));
    assert.equal(file.derivation.kind, kind);
    const key = unlockKey(file, kind === "none" ? undefined : PASSPHRASE, keyCrypto);
    assert.equal(key.length, 32);
    assert.deepEqual(keyFingerprint(key, keyCrypto), file.fingerprint);
  });

  Deno.test(`formatKeyFile() writes a key file of the real client as it was (${kind})`, () => {
    const text = fixture(kind);
    assert.equal(formatKeyFile(parseKeyFile(text)), text.trimEnd());
  });

  Deno.test(`makeKeyFile() makes what unlockKey() opens (${kind})`, () => {
    const key = keyCrypto.randomBytes(32);
    const made = makeKeyFile(
      { key, kind, passphrase: PASSPHRASE, now: "2024-06-05T12:00:00+02:00", hint: "h" },
      keyCrypto,
    );
    const file = parseKeyFile(formatKeyFile(made));
    assert.deepEqual(unlockKey(file, PASSPHRASE, keyCrypto), key);
    assert.equal(file.hint, "h");
    assert.equal(file.created, "2024-06-05T12:00:00+02:00");
  });
}

Deno.test("keyFingerprint() gives the value of the test vector", () => {
  const key = Uint8Array.from({ length: 32 }, (_, index) => index);
  assert.equal(
    formatFingerprint(keyFingerprint(key, keyCrypto)),
    "0e:ab:d4:46:0b:6e:b9:ca:34:50:23:de:e2:b7:78:c7:90:e5:4a:16:83:b9:65:9c:0a:57:ae:19:90:90:15:9b",
  );
});

Deno.test("unlockKey() refuses a wrong, a short and a missing passphrase", () => {
  const file = parseKeyFile(fixture("pbkdf2"));
  for (const passphrase of [new TextEncoder().encode("wrong-pass"), PASSPHRASE.subarray(0, 4)]) {
    assert.throws(() => unlockKey(file, passphrase, keyCrypto), AuthError);
  }
  assert.throws(() => unlockKey(file, undefined, keyCrypto), AuthError);
});

Deno.test("unlockKey() refuses a key with another fingerprint", () => {
  const text = fixture("none").replace('"fingerprint":"a4', '"fingerprint":"a5');
  assert.throws(() => unlockKey(parseKeyFile(text), undefined, keyCrypto), /fingerprint/);
});

Deno.test("parseKeyFile() refuses what is no key file", () => {
  const valid = JSON.parse(fixture("scrypt"));
  const salt = valid.kdf.Scrypt.salt;
  const broken: unknown[] = [
    [],
    "text",
    { ...valid, data: "AAAA" },
    { ...valid, data: "not base64!" },
    { ...valid, data: 5 },
    { ...valid, kdf: {} },
    { ...valid, kdf: 7 },
    { ...valid, kdf: { Scrypt: valid.kdf.Scrypt, PBKDF2: { iter: 1, salt } } },
    { ...valid, kdf: { Argon2: { salt } } },
    { ...valid, kdf: { Scrypt: { n: 65_535, r: 8, p: 1, salt } } },
    { ...valid, kdf: { PBKDF2: { iter: 0, salt } } },
    { ...valid, fingerprint: "aa:bb" },
    { ...valid, hint: 1 },
  ];
  for (const value of broken) {
    assert.throws(() => parseKeyFile(JSON.stringify(value)), FormatError, JSON.stringify(value));
  }
  assert.throws(() => parseKeyFile("{"), FormatError);
});

Deno.test("parseKeyFile() refuses costs beyond all reason", () => {
  const valid = JSON.parse(fixture("scrypt"));
  const salt = valid.kdf.Scrypt.salt;
  for (
    const kdf of [
      { Scrypt: { n: 2 ** 30, r: 8, p: 1, salt } },
      { Scrypt: { n: 65_536, r: 8, p: 1000, salt } },
      { PBKDF2: { iter: 1e12, salt } },
    ]
  ) {
    assert.throws(() => parseKeyFile(JSON.stringify({ ...valid, kdf })), LimitError);
  }
});
