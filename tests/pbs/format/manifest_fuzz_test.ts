import { ok } from "node:assert/strict";
import fc from "fast-check";
import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import {
  cryptModeOf,
  formatManifest,
  keyFingerprintOf,
  type Manifest,
  notesOf,
  parseManifest,
  uploadStatisticsOf,
  verifyStateOf,
} from "#src/pbs/format/manifest.ts";
import { parseKeyFile } from "#src/pbs/format/key_file.ts";
import { checkManifest, signManifest } from "#src/pbs/crypt/manifest_signature.ts";

const CRYPT = new CryptConfig(new Uint8Array(32).fill(9));
const MANIFEST: Manifest = signManifest({
  backupType: "vm",
  backupId: "100",
  backupTime: 1_704_880_800,
  files: [
    { filename: "a.img.fidx", size: 1 << 30, csum: "ab".repeat(32), cryptMode: "sign-only" },
    { filename: "b.conf.blob", size: 12, csum: "cd".repeat(32), cryptMode: "sign-only" },
  ],
  signature: undefined,
  unprotected: { notes: "n", verify_state: { state: "ok", upid: "UPID:" } },
}, CRYPT);
const JSON_TEXT = new TextDecoder().decode(formatManifest(MANIFEST));
const KEY_TEXT =
  '{"kdf":{"Scrypt":{"n":65536,"r":8,"p":1,"salt":"AAAA"}},"created":"c","modified":"m","data":"' +
  new Uint8Array(64).toBase64() + '","fingerprint":null,"hint":"h"}';

/** Pieces that make JSON of another meaning, or none. */
const PIECES = ["null", "1e999", "-1", "[]", "{}", '"', "\\u0000", "[[", "}}", ",", "0", ":", '""'];

const mutations = (text: string) =>
  fc.array(
    fc.record({
      at: fc.nat({ max: text.length }),
      remove: fc.nat({ max: 12 }),
      insert: fc.oneof(fc.constantFrom(...PIECES), fc.string({ maxLength: 3, unit: "binary" })),
    }),
    { minLength: 1, maxLength: 3 },
  ).map((changes) =>
    changes.reduce(
      (result, { at, remove, insert }) => result.slice(0, at) + insert + result.slice(at + remove),
      text,
    )
  );

function isTyped(error: unknown): boolean {
  return error instanceof FormatError || error instanceof LimitError ||
    error instanceof IntegrityError || error instanceof AuthError;
}

Deno.test("parseManifest() gives a manifest that can be used, or a typed error", () => {
  let parsed = 0;
  fc.assert(
    fc.property(mutations(JSON_TEXT), (text) => {
      try {
        const manifest = parseManifest(new TextEncoder().encode(text));
        parsed++;
        keyFingerprintOf(manifest);
        notesOf(manifest);
        verifyStateOf(manifest);
        uploadStatisticsOf(manifest);
        parseManifest(formatManifest(manifest));
        cryptModeOf(manifest);
        checkManifest(manifest, CRYPT);
      } catch (error) {
        ok(isTyped(error), `${error}`);
      }
    }),
    { seed: 21, numRuns: 4000 },
  );
  ok(parsed > 50, `${parsed} of the texts were manifests`);
});

Deno.test("parseKeyFile() gives a key file or a typed error", () => {
  fc.assert(
    fc.property(mutations(KEY_TEXT), (text) => {
      try {
        parseKeyFile(text);
      } catch (error) {
        ok(isTyped(error), `${error}`);
      }
    }),
    { seed: 22, numRuns: 4000 },
  );
});
