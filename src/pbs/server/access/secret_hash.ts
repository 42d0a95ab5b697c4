/**
 * Passwords and token secrets as they are kept: nothing that could be used to log in.
 *
 *     $scrypt$ln=15,r=8,p=1$<salt>$<hash>     a password, costs 32 MiB and about 0.1 s to try
 *     $sha256$<salt>$<hash>                   a token's secret, 256 random bits: nothing to guess
 *
 * @module
 */

import { createHash, randomBytes, scrypt, timingSafeEqual } from "node:crypto";
import { FormatError } from "#src/errors.ts";

const LOG_N = 15;
const BLOCK_SIZE = 8;
const SALT_BYTES = 16;
const HASH_BYTES = 32;
/** Longer ones are refused before they cost anything. */
export const PASSWORD_SIZE_MAX = 1024;
const PATTERN =
  /^\$(?:scrypt\$ln=(\d{1,2}),r=(\d{1,2}),p=1|sha256)\$([A-Za-z0-9_-]{16,64})\$([A-Za-z0-9_-]{43})$/;
/** What a file may ask for: 128·r·2^ln bytes, 512 MiB. */
const LOG_N_RANGE: readonly [number, number] = [10, 18];
const BLOCK_SIZE_MAX = 16;

/** A hash as it was kept. */
interface KeptHash {
  /** Undefined: a token's. */
  readonly cost: { readonly logN: number; readonly r: number } | undefined;
  readonly salt: Uint8Array;
  readonly hash: Uint8Array;
}

/** Whether a text is a hash as this module makes them. */
export function isSecretHash(text: string): boolean {
  return parse(text) !== undefined;
}

/** What is kept of a password. */
export async function hashPassword(password: string): Promise<string> {
  const salt = randomBytes(SALT_BYTES);
  const hash = await derive(password, salt, LOG_N, BLOCK_SIZE);
  return `$scrypt$ln=${LOG_N},r=${BLOCK_SIZE},p=1$${text64(salt)}$${text64(hash)}`;
}

/** A new secret of a token. It is shown once. */
export function newTokenSecret(): string {
  return randomBytes(32).toString("base64url");
}

/** What is kept of a token's secret. */
export function hashTokenSecret(secret: string): string {
  const salt = randomBytes(SALT_BYTES);
  return `$sha256$${text64(salt)}$${text64(saltedHash(secret, salt))}`;
}

/**
 * Whether a password is the one that was hashed. With an undefined hash, of a user that is not
 * there, the answer takes as long, and is no.
 *
 * @throws {FormatError} when it is no hash of a password
 */
export async function checkPassword(password: string, kept: string | undefined): Promise<boolean> {
  const parsed = kept === undefined ? NOBODY : parse(kept);
  if (parsed?.cost === undefined) throw new FormatError("Cannot check password: no hash of one");
  const { cost, salt, hash } = parsed;
  const isEqual = timingSafeEqual(await derive(password, salt, cost.logN, cost.r), hash);
  return isEqual && kept !== undefined;
}

/** Whether a secret is the one that was hashed; as {@link checkPassword}. @throws {FormatError} */
export function checkTokenSecret(secret: string, kept: string | undefined): boolean {
  const parsed = kept === undefined ? NO_TOKEN : parse(kept);
  if (parsed === undefined || parsed.cost !== undefined) {
    throw new FormatError("Cannot check secret of a token: no hash of one");
  }
  const isEqual = timingSafeEqual(saltedHash(secret, parsed.salt), parsed.hash);
  return isEqual && kept !== undefined;
}

const NOBODY: KeptHash = {
  cost: { logN: LOG_N, r: BLOCK_SIZE },
  salt: new Uint8Array(SALT_BYTES),
  hash: new Uint8Array(HASH_BYTES),
};
const NO_TOKEN: KeptHash = { ...NOBODY, cost: undefined };

function parse(text: string): KeptHash | undefined {
  const [, logN, r, salt, hash] = PATTERN.exec(text) ?? [];
  if (salt === undefined) return undefined;
  const parts = { salt: bytesOf(salt), hash: bytesOf(hash!) };
  if (logN === undefined) return { cost: undefined, ...parts };
  const cost = { logN: Number(logN), r: Number(r) };
  const isBounded = cost.logN >= LOG_N_RANGE[0] && cost.logN <= LOG_N_RANGE[1] && cost.r >= 1 &&
    cost.r <= BLOCK_SIZE_MAX;
  return isBounded ? { cost, ...parts } : undefined;
}

function bytesOf(text: string): Uint8Array {
  return Uint8Array.fromBase64(text, { alphabet: "base64url" });
}

function text64(bytes: Uint8Array): string {
  return bytes.toBase64({ alphabet: "base64url", omitPadding: true });
}

function saltedHash(secret: string, salt: Uint8Array): Uint8Array {
  return createHash("sha256").update(salt).update(secret).digest();
}

/** In another thread: whoever else is served need not wait for it. */
function derive(
  password: string,
  salt: Uint8Array,
  logN: number,
  r: number,
): Promise<Uint8Array> {
  const { promise, resolve, reject } = Promise.withResolvers<Uint8Array>();
  const N = 2 ** logN;
  const options = { N, r, p: 1, maxmem: 128 * r * N + (1 << 20) };
  scrypt(password, salt, HASH_BYTES, options, (error, key) => {
    if (error === null) resolve(key);
    else reject(error);
  });
  return promise;
}
