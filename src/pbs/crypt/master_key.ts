/**
 * The master key: a copy of each backup's key that only the owner of an RSA private key can read.
 *
 * @module
 */

import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { decryptRsa, encryptRsa } from "#src/codecs/rsa.ts";
import { FormatError, IntegrityError } from "#src/errors.ts";
import type { CryptConfig } from "./crypt_config.ts";
import { formatKeyFile, type KeyFile, makeKeyFile, parseKeyFile } from "../format/key_file.ts";

/** A key in use, and what is known of it besides. */
export interface KeyOrigin {
  /** The key itself. */
  readonly crypt: CryptConfig;
  /** When the key was made: RFC 3339, as in its key file. */
  readonly created: string;
}

/**
 * Encrypts a key for the owner of the master key: the content of `rsa-encrypted.key.blob`, which is
 * stored as it is.
 *
 * @param now RFC 3339 with a numeric offset
 * @throws {FormatError} when the PEM is no RSA public key
 * @throws {LimitError} when that key is too short
 */
export function sealKey(
  publicPem: string,
  { crypt, created }: KeyOrigin,
  now: string,
): Uint8Array<ArrayBuffer> {
  const file = makeKeyFile({ key: crypt.key, kind: "none", created, now }, keyCrypto);
  return encryptRsa(publicPem, new TextEncoder().encode(formatKeyFile(file)));
}

/**
 * Decrypts what {@link sealKey} made.
 *
 * @param passphrase of the private key
 * @returns a key file without a passphrase
 * @throws {AuthError} `passphrase` when that of the private key is missing or wrong
 * @throws {IntegrityError} when the key was encrypted for another master key, or is damaged
 * @throws {FormatError} when the PEM is no RSA private key, or there is no key inside
 */
export function unsealKey(
  privatePem: string,
  passphrase: string | undefined,
  sealed: Uint8Array,
): KeyFile {
  const file = parseOpened(decryptRsa(privatePem, passphrase, sealed));
  if (file.derivation.kind === "none") return file;
  throw new FormatError("Cannot use encrypted key: it has a passphrase of its own");
}

function parseOpened(opened: Uint8Array): KeyFile {
  const text = new TextDecoder().decode(opened);
  // Decryption by the wrong key may give random bytes instead of an error.
  if (isJson(text)) return parseKeyFile(text);
  throw new IntegrityError("Cannot open encrypted key: it belongs to another master key", {
    code: "master-key",
    hint: "Give the private key that fits the public one the backup was made with",
  });
}

function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false; // that is all that was asked
  }
}
