/**
 * Signing manifests and checking signatures.
 *
 * @module
 */

import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { AuthError, IntegrityError } from "#src/errors.ts";
import { type CryptConfig, shortFingerprint } from "./crypt_config.ts";
import {
  keyFingerprintOf,
  type Manifest,
  signedText,
  withKeyFingerprint,
} from "../format/manifest.ts";

/** The manifest with signature and fingerprint of a key. */
export function signManifest(manifest: Manifest, crypt: CryptConfig): Manifest {
  return withKeyFingerprint(
    { ...manifest, signature: computeSignature(manifest, crypt) },
    crypt.fingerprint,
  );
}

/**
 * Checks a manifest against a key. Nothing is checked where neither a key was given nor the
 * manifest was made with one.
 *
 * @throws {AuthError} `wrong-key` when the manifest was made with another key
 * @throws {IntegrityError} `signature` when the signature is wrong, or missing although a key was
 *   used
 */
export function checkManifest(manifest: Manifest, crypt: CryptConfig | undefined): void {
  if (crypt === undefined) return;
  const fingerprint = keyFingerprintOf(manifest);
  if (manifest.signature === undefined) {
    if (fingerprint === undefined && manifest.files.every((file) => file.cryptMode === "none")) {
      return;
    }
    throw new IntegrityError("Cannot use manifest: a key was used, but the signature is missing", {
      code: "signature",
    });
  }
  if (fingerprint !== undefined && fingerprint !== crypt.fingerprint) {
    throw new AuthError(
      `Cannot verify the manifest's signature: its key ${shortFingerprint(fingerprint)} ` +
        `is not the given key ${crypt.shortFingerprint}`,
      { code: "wrong-key" },
    );
  }
  if (manifest.signature !== computeSignature(manifest, crypt)) {
    throw new IntegrityError("Cannot use manifest: its signature is wrong", { code: "signature" });
  }
}

/**
 * Requires a key for a manifest that was made with one, as the real client does before it reads
 * anything.
 *
 * @throws {AuthError} `missing-key`
 */
export function requireKey(manifest: Manifest, crypt: CryptConfig | undefined): void {
  if (crypt !== undefined) return;
  const fingerprint = keyFingerprintOf(manifest);
  if (fingerprint === undefined && manifest.signature === undefined) return;
  const name = fingerprint === undefined ? "" : ` with key ${shortFingerprint(fingerprint)}`;
  throw new AuthError(`Cannot read the snapshot: it was made${name}, which is missing`, {
    code: "missing-key",
    hint: "Give the key file",
    option: "crypt",
  });
}

function computeSignature(manifest: Manifest, crypt: CryptConfig): string {
  return keyCrypto.hmacSha256(crypt.idKey, signedText(manifest)).toHex();
}
