/**
 * Certificates by which a client that listens and the host that backs it up know each other: a file
 * with a certificate and its key, made once on each side.
 *
 * @module
 */

import { plainFiles } from "#src/io/files/plain_files.ts";
import {
  type CertificateAndKey,
  fingerprintOfPem,
  makeCertificate,
} from "#src/net/tls/certificate.ts";
import { writeNew } from "../keys/key_files.ts";

const FILE_SIZE_MAX = 1 << 20;
/** Fingerprints are compared, not dates: a new one would have to be told to the other side. */
const DAYS = 10_000;
/** A clock that is behind must not refuse it. */
const BEFORE_MS = 86_400_000;

/**
 * Makes a certificate and its key in a new file that only its owner can read.
 *
 * @param name says whose it is; nobody checks it
 * @returns the fingerprint
 * @throws {OsError} EEXIST when there is something of that name
 */
export async function createIdentity(path: string, name: string): Promise<string> {
  const from = new Date(Date.now() - BEFORE_MS);
  const { certificate, key } = await makeCertificate({ hosts: [name], from, days: DAYS });
  writeNew(path, certificate + key);
  return await fingerprintOfPem(certificate);
}

/**
 * Reads such a file, or any PEM file with a certificate and then its key; by the runtime's own
 * calls.
 *
 * @throws {OsError} when it cannot be read
 */
export function readIdentity(path: string): CertificateAndKey {
  const text = new TextDecoder().decode(plainFiles.read(path, FILE_SIZE_MAX));
  const end = text.search(/-----BEGIN [A-Z ]*PRIVATE KEY-----/u);
  return { certificate: text.slice(0, end < 0 ? undefined : end), key: text.slice(end) };
}
