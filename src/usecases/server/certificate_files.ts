/**
 * The certificate of a server: that of its folder, made at the first start, or one in two files.
 *
 * @module
 */

import { Errno, OsError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { replaceFile, temporaryPathFor } from "#src/io/files/whole_file.ts";
import { type CertificateAndKey, makeCertificate } from "#src/net/tls/certificate.ts";
import { SECRET_FILE_MODE, withServerFolder } from "#src/pbs/server/access/access_file.ts";
import { nodeName } from "#src/pbs/task.ts";
import type { ServerSettings } from "./server_settings.ts";

const FILE_SIZE_MAX = 1 << 20;
/** Fingerprints are compared, not dates: of a new certificate, people would have to be told. */
const DAYS = 10_000;
/** A clock that is behind must not refuse it. */
const BEFORE_MS = 86_400_000;

/** The certificate and its key. @throws {OsError | LimitError} */
export async function serverCertificate(
  { certificate, folder, listen }: Pick<ServerSettings, "certificate" | "folder" | "listen">,
): Promise<CertificateAndKey> {
  if (certificate !== undefined) {
    const { certPath, keyPath } = certificate;
    return { certificate: readText(certPath), key: readText(keyPath) };
  }
  // Both in one file, which is there whole or not at all.
  const path = `${folder}/certificate.pem`;
  const kept = readPair(path);
  if (kept !== undefined) return kept;
  const hosts = [...new Set([nodeName(), "localhost", listen.host])];
  const made = await makeCertificate({
    hosts,
    from: new Date(Date.now() - BEFORE_MS),
    days: DAYS,
  });
  return withServerFolder(folder, () => {
    const other = readPair(path);
    if (other !== undefined) return other;
    const text = new TextEncoder().encode(made.certificate + made.key);
    const options = { mode: SECRET_FILE_MODE, isModeExact: true, isDurable: true };
    replaceFile(path, temporaryPathFor(path), text, options);
    return made;
  });
}

function readPair(path: string): CertificateAndKey | undefined {
  try {
    const text = readText(path);
    const end = text.indexOf("-----BEGIN", 1);
    return { certificate: text.slice(0, end), key: text.slice(end) };
  } catch (error) {
    if (error instanceof OsError && error.errno === Errno.ENOENT) return undefined;
    throw error;
  }
}

function readText(path: string): string {
  return new TextDecoder().decode(hostFiles.read(path, FILE_SIZE_MAX));
}
