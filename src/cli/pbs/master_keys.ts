/**
 * Encryption keys that are locked by a master key, so that whoever has the private one gets them back.
 *
 * @module
 */

import { decryptRsa, encryptRsa } from "#src/codecs/rsa.ts";
import { AuthError, FormatError } from "#src/errors.ts";
import { formatKeyFile, type KeyFile, parseKeyFile } from "#src/pbs/format/key_file.ts";
import { formatLocalTime } from "../local_time.ts";
import type { UnlockedKey } from "./key_files.ts";

/**
 * The content of `rsa-encrypted.key.blob`: the key file without a lock, encrypted by a public master key.
 *
 * @throws {FormatError} when that is no RSA key
 */
export function encryptForMasterKey(
  { key, file }: UnlockedKey,
  masterPem: string,
): Uint8Array<ArrayBuffer> {
  const plain: KeyFile = {
    derivation: { kind: "none" },
    created: file.created,
    modified: formatLocalTime(new Date()),
    data: key,
    fingerprint: file.fingerprint,
    hint: undefined,
  };
  return encryptRsa(masterPem, new TextEncoder().encode(formatKeyFile(plain)));
}

/**
 * The key file that {@link encryptForMasterKey} encrypted. `passphrase` unlocks the private master key.
 *
 * @throws {AuthError} `passphrase` when the passphrase is missing or wrong; `key` when the master key is another one
 * @throws {IntegrityError} when the content is damaged
 * @throws {FormatError} when the key is no RSA key
 */
export function decryptWithMasterKey(
  content: Uint8Array,
  masterPem: string,
  passphrase: string | undefined,
): KeyFile {
  const text = new TextDecoder().decode(decryptRsa(masterPem, passphrase, content));
  try {
    return parseKeyFile(text);
  } catch (cause) {
    // With another private key decryption gives random bytes, on purpose.
    if (!(cause instanceof FormatError)) throw cause;
    throw new AuthError("Cannot decrypt key: it was encrypted for another master key", {
      code: "key",
      cause,
    });
  }
}
