/**
 * Fingerprints of certificates: SHA-256 of the DER form, in pairs of hex digits.
 *
 * @module
 */

import { UsageError } from "#src/errors.ts";

/**
 * A fingerprint in the form in which they are kept and compared: lower case, with colons.
 *
 * @param text also in upper case or without colons
 * @param option says what names it
 * @throws {UsageError} when it is no SHA-256 fingerprint
 */
export function parseFingerprint(text: string, option = "fingerprint"): string {
  const trimmed = text.trim();
  if (!/^(?:[0-9A-Fa-f]{2}:?){31}[0-9A-Fa-f]{2}$/u.test(trimmed)) {
    throw new UsageError(`"${text}" is not a fingerprint of a certificate`, {
      option,
      hint: "A fingerprint is 32 pairs of hex digits with colons between them",
    });
  }
  return trimmed.replaceAll(":", "").toLowerCase().match(/../gu)!.join(":");
}

/** The fingerprint of a certificate in DER form, as {@link parseFingerprint} gives it. */
export async function fingerprintOf(der: Uint8Array<ArrayBuffer>): Promise<string> {
  const digest = new Uint8Array(await crypto.subtle.digest("SHA-256", der));
  return digest.toHex().match(/../gu)!.join(":");
}
