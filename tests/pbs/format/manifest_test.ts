import { deepEqual, equal, ok, throws } from "node:assert/strict";
import { join } from "node:path";
import { builtInCodecs } from "#src/codecs/codecs.ts";
import { AuthError, FormatError, IntegrityError } from "#src/errors.ts";
import { BlobCodec } from "#src/pbs/crypt/blob_codec.ts";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import {
  cryptModeOf,
  findManifestFile,
  formatManifest,
  keyFingerprintOf,
  type Manifest,
  notesOf,
  parseManifest,
  signedText,
  uploadStatisticsOf,
  verifyStateOf,
  withNotes,
  withUploadStatistics,
  withVerifyState,
} from "#src/pbs/format/manifest.ts";
import { formatSnapshot, ROOT_NAMESPACE } from "#src/pbs/format/snapshot_path.ts";
import { checkManifest, requireKey, signManifest } from "#src/pbs/crypt/manifest_signature.ts";
import {
  expectedDatastore,
  type ExpectedSnapshot,
  goldenKey,
  snapshotPath,
} from "#tests/support/pbs_fixtures.ts";

const CODEC = new BlobCodec(builtInCodecs());
const CRYPT = new CryptConfig(new Uint8Array(32).fill(1));
const OTHER_CRYPT = new CryptConfig(new Uint8Array(32).fill(2));
const encode = (value: unknown) => new TextEncoder().encode(JSON.stringify(value));

const MANIFEST: Manifest = {
  backupType: "host",
  backupId: "elsa",
  backupTime: 1_593_179_765,
  files: [{
    filename: "root.pxar.didx",
    size: 200,
    csum: "01".repeat(32),
    cryptMode: "encrypt",
    extra: undefined,
  }],
  signature: undefined,
  unprotected: {},
  extra: undefined,
};

function goldenJson(snapshot: ExpectedSnapshot): Uint8Array<ArrayBuffer> {
  const stored = Deno.readFileSync(join(snapshotPath(snapshot), "index.json.blob"));
  return CODEC.decodeBytes(stored, { isEncrypted: false });
}

for (const snapshot of expectedDatastore().snapshots) {
  Deno.test(`parseManifest() understands the golden one: ${snapshot.snapshot}`, () => {
    const json = goldenJson(snapshot);
    const manifest = parseManifest(json);
    deepEqual(formatManifest(manifest), json);
    const { backupType: type, backupId: id, backupTime: time } = manifest;
    equal(formatSnapshot({ group: { ns: ROOT_NAMESPACE, type, id }, time }), snapshot.snapshot);
    equal(cryptModeOf(manifest), snapshot["crypt-mode"]);
    const crypt = goldenKey(snapshot.key);
    equal(keyFingerprintOf(manifest), crypt?.fingerprint);
    equal(notesOf(manifest), snapshot.notes);
    equal(uploadStatisticsOf(manifest)?.duplicates !== undefined, true);
    const names = [
      ...Object.keys(snapshot.pxar).flatMap((name) => name.split("+")),
      ...Object.keys(snapshot.blobs).filter((name) => name !== "client.log.blob"),
      ...Object.keys(snapshot.images),
    ];
    for (const name of names) ok(findManifestFile(manifest, name) !== undefined, name);
    checkManifest(manifest, crypt);
    requireKey(manifest, crypt);
    if (crypt === undefined) return;
    throws(() => requireKey(manifest, undefined), AuthError);
    throws(() => checkManifest(manifest, OTHER_CRYPT), AuthError);
    // Signed again it is the same, byte for byte.
    deepEqual(formatManifest(signManifest({ ...manifest, signature: undefined }, crypt)), json);
  });
}

Deno.test("checkManifest() notices every change of what is signed", () => {
  const manifest = signManifest({ ...MANIFEST, extra: { later: 1 } }, CRYPT);
  checkManifest(manifest, CRYPT);
  checkManifest(withNotes(manifest, "changed"), CRYPT);
  const [file] = manifest.files;
  const changed: Partial<Manifest>[] = [
    { backupId: "elsb" },
    { backupType: "vm" },
    { backupTime: manifest.backupTime + 1 },
    { files: [] },
    { files: [{ ...file!, size: 201 }] },
    { files: [{ ...file!, csum: "02".repeat(32) }] },
    { files: [{ ...file!, filename: "other.pxar.didx" }] },
    { files: [{ ...file!, cryptMode: "none" }] },
    { files: [{ ...file!, extra: { more: 1 } }] },
    { extra: { later: 2 } },
    { extra: {} },
    { signature: "0".repeat(64) },
    { signature: undefined },
    { signature: undefined, unprotected: {} },
  ];
  for (const change of changed) {
    const check = () => checkManifest({ ...manifest, ...change }, CRYPT);
    throws(check, (error) => error instanceof IntegrityError && error.code === "signature");
  }
  checkManifest({ ...manifest, unprotected: {} }, CRYPT);
});

Deno.test("checkManifest() tells another key from a wrong signature", () => {
  const manifest = signManifest(MANIFEST, CRYPT);
  throws(
    () => checkManifest(manifest, OTHER_CRYPT),
    (error) => error instanceof AuthError && error.code === "wrong-key",
  );
  throws(() => checkManifest({ ...manifest, unprotected: {} }, OTHER_CRYPT), IntegrityError);
  checkManifest(manifest, undefined);
  const plain: Manifest = { ...MANIFEST, files: [{ ...MANIFEST.files[0]!, cryptMode: "none" }] };
  checkManifest(plain, CRYPT);
  requireKey(plain, undefined);
});

Deno.test("parseManifest() keeps what it does not know, in its place and signed", () => {
  const json = {
    "backup-id": "a",
    "backup-time": 1,
    "backup-type": "ct",
    files: [{ csum: "0".repeat(64), filename: "x.blob", size: 12, zzz: [1, { b: 1, a: null }] }],
    future: { "\u{1F600}": 1, "\uFFFD": 2 },
    unprotected: { other: true },
  };
  const manifest = parseManifest(encode(json));
  equal(manifest.files[0]!.cryptMode, "none");
  const again = JSON.parse(new TextDecoder().decode(formatManifest(manifest)));
  deepEqual(again, {
    ...json,
    files: [{ ...json.files[0], "crypt-mode": "none" }],
    signature: null,
  });
  throws(() => signedText(manifest), FormatError);
});

Deno.test("withNotes() and its neighbours change only their own value", () => {
  const verifyState = { state: "failed", upid: "UPID:a" } as const;
  const counted = { count: 1, size: 2, compressedSize: 3, duplicates: 4 };
  let manifest = withNotes(MANIFEST, "two\nlines");
  manifest = withVerifyState(manifest, verifyState);
  manifest = parseManifest(formatManifest(withUploadStatistics(manifest, counted)));
  equal(notesOf(manifest), "two\nlines");
  deepEqual(verifyStateOf(manifest), verifyState);
  deepEqual(uploadStatisticsOf(manifest), counted);
  manifest = withNotes(manifest, "");
  equal(notesOf(manifest), undefined);
  deepEqual(Object.keys(manifest.unprotected), ["chunk_upload_stats", "verify_state"]);
  const odd = { notes: 1, verify_state: { state: "maybe", upid: "" }, chunk_upload_stats: {} };
  const strange = { ...manifest, unprotected: odd };
  equal(notesOf(strange), undefined);
  equal(verifyStateOf(strange), undefined);
  equal(uploadStatisticsOf(strange), undefined);
});

Deno.test("parseManifest() refuses what is none", () => {
  const good = JSON.parse(new TextDecoder().decode(formatManifest(MANIFEST)));
  const [file] = good.files;
  const bad: readonly unknown[] = [
    null,
    [],
    "text",
    { ...good, "backup-type": "pc" },
    { ...good, "backup-id": "../x" },
    { ...good, "backup-id": 5 },
    { ...good, "backup-time": 1.5 },
    { ...good, "backup-time": 0 },
    { ...good, "backup-time": 1e18 },
    { ...good, signature: "abc" },
    { ...good, unprotected: [] },
    { ...good, files: {} },
    { ...good, files: [file, file] },
    { ...good, files: [{ ...file, filename: "../root.pxar.didx" }] },
    { ...good, files: [{ ...file, filename: "a/b.blob" }] },
    { ...good, files: [{ ...file, filename: ".x.blob" }] },
    { ...good, files: [{ ...file, filename: "x.txt" }] },
    { ...good, files: [{ ...file, filename: "x.blob\n" }] },
    { ...good, files: [{ ...file, size: -1 }] },
    { ...good, files: [{ ...file, size: 2 ** 53 }] },
    { ...good, files: [{ ...file, size: "200" }] },
    { ...good, files: [{ ...file, csum: "01" }] },
    { ...good, files: [{ ...file, csum: "AB".repeat(32) }] },
    { ...good, files: [{ ...file, "crypt-mode": "maybe" }] },
    { ...good, files: [null] },
  ];
  for (const value of bad) {
    throws(() => parseManifest(encode(value)), FormatError, JSON.stringify(value));
  }
  const whole = formatManifest(MANIFEST);
  for (let size = 0; size < whole.length; size += 7) {
    throws(() => parseManifest(whole.subarray(0, size)), FormatError);
  }
  throws(() => parseManifest(Uint8Array.of(0x22, 0xff, 0x22)), FormatError);
  const twice = new TextDecoder().decode(whole).replace('"size": 200', '"size": 100, "size": 200');
  throws(() => parseManifest(new TextEncoder().encode(twice)), FormatError);
  deepEqual(parseManifest(encode(good)), MANIFEST);
});

Deno.test("signedText() refuses JSON that is nested without end", () => {
  const deep = `{"backup-id":"a","backup-time":1,"backup-type":"ct","files":[],"x":${
    "[".repeat(5000)
  }${"]".repeat(5000)}}`;
  const manifest = parseManifest(new TextEncoder().encode(deep));
  throws(() => signedText(manifest), FormatError);
  throws(() => formatManifest(manifest), FormatError);
});

Deno.test("cryptModeOf() refuses a mixture", () => {
  const [file] = MANIFEST.files;
  const files = [file!, { ...file!, filename: "b.blob", cryptMode: "none" as const }];
  throws(() => cryptModeOf({ ...MANIFEST, files }), FormatError);
  equal(cryptModeOf({ ...MANIFEST, files: [] }), "none");
});

Deno.test("A manifest's blob: every flipped bit is noticed in each golden one", () => {
  for (const snapshot of expectedDatastore().snapshots) {
    const stored = Deno.readFileSync(join(snapshotPath(snapshot), "index.json.blob"));
    for (let bit = 0; bit < 8 * stored.length; bit++) {
      const damaged = stored.slice();
      damaged[bit >> 3]! ^= 1 << (bit & 7);
      throws(
        () => CODEC.decodeBytes(damaged, { isEncrypted: false }),
        (error) =>
          (bit >> 3) < 8
            ? error instanceof FormatError
            : error instanceof IntegrityError && error.code === "crc",
        `${snapshot.snapshot}, bit ${bit}`,
      );
    }
  }
});
