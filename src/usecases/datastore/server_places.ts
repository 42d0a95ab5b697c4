/**
 * Where what is known of servers is kept between runs, and whose word on certificates counts.
 *
 * @module
 */

import { Errno, OsError, UsageError } from "#src/errors.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { KnownFingerprints } from "#src/pbs/client/fingerprints.ts";
import { TicketCache } from "#src/pbs/client/ticket_cache.ts";
import { configDirectory } from "../keys/key_places.ts";
import type { Environment } from "../keys/secrets.ts";

/** Where systems keep the certificates of authorities: Debian, Red Hat, SUSE, BSD. */
const AUTHORITY_FILES = [
  "/etc/ssl/certs/ca-certificates.crt",
  "/etc/pki/tls/certs/ca-bundle.crt",
  "/etc/ssl/ca-bundle.pem",
  "/etc/ssl/cert.pem",
];
const AUTHORITIES_SIZE_MAX = 4 << 20;

/** Tickets of earlier runs; undefined for somebody without a place for them. */
export function ticketCache(context: Environment): TicketCache | undefined {
  const directory = context.environment("XDG_RUNTIME_DIR");
  if (directory === undefined || directory === "") return undefined;
  return new TicketCache(directory, () => Math.floor(Date.now() / 1000));
}

/** Fingerprints that were confirmed; undefined for somebody without a home. */
export function knownFingerprints(context: Environment): KnownFingerprints | undefined {
  const directory = configDirectory(context);
  return directory === undefined ? undefined : new KnownFingerprints(directory);
}

/**
 * Certificates of the authorities that this system trusts, as PEM text: those of `SSL_CERT_FILE`,
 * else those of the usual place. None where there is no such file.
 *
 * @throws {UsageError} when `SSL_CERT_FILE` names none that can be read
 */
export function systemAuthorities(context: Environment): string[] {
  const given = context.environment("SSL_CERT_FILE");
  for (const path of given === undefined || given === "" ? AUTHORITY_FILES : [given]) {
    try {
      return [new TextDecoder().decode(hostFiles.readAll(path, AUTHORITIES_SIZE_MAX))];
    } catch (cause) {
      if (given === path) {
        throw new UsageError(`Cannot read "${path}" of SSL_CERT_FILE`, { cause });
      }
      if (!(cause instanceof OsError && cause.errno === Errno.ENOENT)) throw cause;
    }
  }
  return [];
}
