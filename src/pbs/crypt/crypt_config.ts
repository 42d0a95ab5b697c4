/**
 * An encryption key in use, with what is derived from it.
 *
 * @module
 */

import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { UsageError } from "#src/errors.ts";
import {
  deriveIdKey,
  formatFingerprint,
  KEY_SIZE,
  type KeyCrypto,
  type KeyFile,
  keyFingerprint,
  unlockKey,
} from "../format/key_file.ts";

/** Pairs of digits by which people tell keys apart. */
const SHORT_PAIRS = 8;

/** What key files are made and opened with: the runtime's own cryptography. */
export const keyPrimitives: KeyCrypto = keyCrypto;

/**
 * The keys for encrypting, digests and signatures. Another thread gets the 32 bytes of {@link key}
 * and makes its own.
 */
export class CryptConfig {
  /** Encrypts; 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** Goes into digests and signatures; 32 bytes. */
  readonly idKey: Uint8Array<ArrayBuffer>;
  /** `xx:xx:…`, 32 pairs; says nothing of the key. */
  readonly fingerprint: string;

  /** Keeps a copy of `key`, 32 bytes, and derives the rest. @throws {UsageError} else */
  constructor(key: Uint8Array) {
    if (key.length !== KEY_SIZE) {
      throw new UsageError(`Cannot use a key of ${key.length} bytes: expected ${KEY_SIZE}`);
    }
    this.key = new Uint8Array(key);
    this.idKey = new Uint8Array(deriveIdKey(key, keyCrypto));
    this.fingerprint = formatFingerprint(keyFingerprint(key, keyCrypto));
  }

  /**
   * The key of a key file.
   *
   * @throws {AuthError} `passphrase` when it is missing, too short or wrong; `fingerprint` when the
   *   key is not the one named
   */
  static fromKeyFile(file: KeyFile, passphrase?: Uint8Array): CryptConfig {
    return new CryptConfig(unlockKey(file, passphrase, keyCrypto));
  }

  /** Start of the fingerprint, for messages. */
  get shortFingerprint(): string {
    return shortFingerprint(this.fingerprint);
  }
}

/** Start of a fingerprint, for messages. */
export function shortFingerprint(fingerprint: string): string {
  return fingerprint.split(":", SHORT_PAIRS).join(":");
}
