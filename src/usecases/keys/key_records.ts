/**
 * What keys and key files say of themselves, as plain values.
 *
 * @module
 */

import { describeRsaKey } from "#src/codecs/rsa.ts";
import { formatFingerprint, type KeyFile } from "#src/pbs/format/key_file.ts";

/** What is told of a key; names and values as other tools have them. */
export interface KeyInfo {
  /** Unix seconds. */
  readonly created: number;
  readonly fingerprint?: string | undefined;
  readonly hint?: string | undefined;
  readonly kdf: string;
  readonly modified: number;
  /** In quotation marks. */
  readonly path: string;
}

/** What a key file says. */
export function keyInfo(path: string, file: KeyFile): KeyInfo {
  return {
    created: seconds(file.created),
    fingerprint: file.fingerprint && formatFingerprint(file.fingerprint),
    hint: file.hint,
    kdf: file.derivation.kind,
    modified: seconds(file.modified),
    path: JSON.stringify(path),
  };
}

/** What is told of a public master key. */
export interface MasterKeyInfo {
  readonly exponent: string;
  /** Bits. */
  readonly length: number;
  readonly modulus: string;
  /** In quotation marks. */
  readonly path: string;
}

/** What a public master key is. @throws {FormatError} when it is no RSA key */
export function masterKeyInfo(path: string, pem: string): MasterKeyInfo {
  const { exponent, bits, modulus } = describeRsaKey(pem);
  return {
    exponent: String(exponent),
    length: bits,
    modulus: modulus.toHex().toUpperCase(),
    path: JSON.stringify(path),
  };
}

/** Files of other makers may have no times, or odd ones. */
function seconds(time: string): number {
  const milliseconds = Date.parse(time);
  return Number.isNaN(milliseconds) ? 0 : Math.floor(milliseconds / 1000);
}
