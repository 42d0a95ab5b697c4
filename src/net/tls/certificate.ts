/**
 * A certificate for a server that has none: self-signed, for those who compare fingerprints.
 *
 * An elliptic curve makes handshakes cheap; every TLS library of the last decade knows P-256. It is
 * no certificate of an authority (CA:FALSE): some libraries refuse those in servers.
 *
 * @module
 */

import {
  derBits,
  derInteger,
  derObjectId,
  derSequence,
  derText,
  derTime,
  derValue,
} from "./der.ts";
import { FormatError } from "#src/errors.ts";
import { fingerprintOf } from "./fingerprint.ts";

/** A certificate with its private key, both PEM. */
export interface CertificateAndKey {
  /** The certificate. */
  readonly certificate: string;
  /** Its private key. */
  readonly key: string;
}

/** What a new certificate says. */
export interface CertificateOptions {
  /** Names and addresses of the server; the first one is the subject. */
  readonly hosts: readonly string[];
  /** When it becomes valid; it stays so for `days`. */
  readonly from: Date;
  readonly days: number;
}

const ECDSA_WITH_SHA256 = "1.2.840.10045.4.3.2";
const COMMON_NAME = "2.5.4.3";
const SUBJECT_ALT_NAME = "2.5.29.17";
const BASIC_CONSTRAINTS = "2.5.29.19";
const KEY_USAGE = "2.5.29.15";
const EXTENDED_KEY_USAGE = "2.5.29.37";
const SERVER_AUTHENTICATION = "1.3.6.1.5.5.7.3.1";
const DAY_MS = 86_400_000;
const COMMON_NAME_SIZE_MAX = 64;

/** Makes a key and a certificate that it has signed itself. */
export async function makeCertificate(options: CertificateOptions): Promise<CertificateAndKey> {
  const { generateKeyPairSync, sign } = await import("node:crypto");
  const { publicKey, privateKey } = generateKeyPairSync("ec", { namedCurve: "prime256v1" });
  const serial = crypto.getRandomValues(new Uint8Array(16));
  // Positive, and never of fewer bytes.
  serial[0] = serial[0]! & 0x7f | 0x40;
  const name = derSequence(
    derValue(
      0x31,
      derSequence(
        derObjectId(COMMON_NAME),
        derText(options.hosts[0]!.slice(0, COMMON_NAME_SIZE_MAX)),
      ),
    ),
  );
  const signatureKind = derSequence(derObjectId(ECDSA_WITH_SHA256));
  const until = new Date(options.from.getTime() + options.days * DAY_MS);
  const content = derSequence(
    derValue(0xa0, derInteger(new Uint8Array([2]))),
    derInteger(serial),
    signatureKind,
    name,
    derSequence(derTime(options.from), derTime(until)),
    name,
    publicKey.export({ type: "spki", format: "der" }),
    derValue(0xa3, derSequence(...extensions(options.hosts))),
  );
  const der = derSequence(content, signatureKind, derBits(sign("sha256", content, privateKey)));
  return {
    certificate: pemOf(der),
    key: privateKey.export({ type: "pkcs8", format: "pem" }) as string,
  };
}

function extensions(hosts: readonly string[]): Uint8Array[] {
  const isCritical = derValue(0x01, new Uint8Array([0xff]));
  const extension = (id: string, content: Uint8Array, ...critical: Uint8Array[]) =>
    derSequence(derObjectId(id), ...critical, derValue(0x04, content));
  return [
    extension(BASIC_CONSTRAINTS, derSequence(), isCritical),
    // Only signatures: seven unused bits behind the first one.
    extension(KEY_USAGE, derValue(0x03, new Uint8Array([7, 0x80])), isCritical),
    extension(EXTENDED_KEY_USAGE, derSequence(derObjectId(SERVER_AUTHENTICATION))),
    extension(SUBJECT_ALT_NAME, derSequence(...hosts.map(generalName))),
  ];
}

function generalName(host: string): Uint8Array {
  const address = addressBytes(host);
  return address === undefined
    ? derValue(0x82, new TextEncoder().encode(host))
    : derValue(0x87, address);
}

/** The bytes of an IPv4 or IPv6 address; undefined of a name. */
function addressBytes(host: string): Uint8Array | undefined {
  if (/^\d{1,3}(?:\.\d{1,3}){3}$/u.test(host)) return new Uint8Array(host.split(".").map(Number));
  if (!host.includes(":")) return undefined;
  // The runtime's addresses have one form, without IPv4 at the end: at most one "::".
  const [left, right] = new URL(`http://[${host}]/`).hostname.slice(1, -1).split("::")
    .map((half) => half === "" ? [] : half.split(":").map((group) => parseInt(group, 16)));
  const gap = right === undefined ? 0 : 8 - left!.length - right.length;
  const groups = [...left!, ...new Array<number>(gap).fill(0), ...right ?? []];
  return new Uint8Array(groups.flatMap((group) => [group >> 8, group & 0xff]));
}

function pemOf(der: Uint8Array): string {
  const lines = der.toBase64().match(/.{1,64}/gu)!;
  return ["-----BEGIN CERTIFICATE-----", ...lines, "-----END CERTIFICATE-----", ""].join("\n");
}

/**
 * The fingerprint of the first certificate in PEM text.
 *
 * @throws {FormatError} when there is none
 */
export async function fingerprintOfPem(pem: string): Promise<string> {
  const body = /-----BEGIN CERTIFICATE-----([A-Za-z0-9+/=\s]+)-----END CERTIFICATE-----/u.exec(pem);
  if (body === null) throw new FormatError("There is no certificate in PEM form");
  try {
    return await fingerprintOf(Uint8Array.fromBase64(body[1]!.replaceAll(/\s/gu, "")));
  } catch (cause) {
    throw new FormatError("The certificate in PEM form is damaged", { cause });
  }
}
