/**
 * Key files of Proxmox Backup: a 32-byte encryption key as JSON, plain or locked with a passphrase.
 *
 *     {"kdf":{"Scrypt":{"n":…,"r":…,"p":…,"salt":"…"}},"created":"…","modified":"…","data":"…","fingerprint":"…","hint":"…"}
 *
 * | kdf                                    | data (base64)                                    |
 * | -------------------------------------- | ------------------------------------------------ |
 * | null                                   | the 32 bytes of the key                          |
 * | {"Scrypt":{…}} or {"PBKDF2":{…}}       | IV (16), tag (16), AES-256-GCM of the 32 bytes   |
 *
 * Everything cryptographic comes in as {@link KeyCrypto}.
 *
 * @module
 */

import { AuthError, FormatError, LimitError, UsageError } from "#src/errors.ts";

/** Bytes of an encryption key. */
export const KEY_SIZE = 32;
/** A locked key is not unlocked with a shorter passphrase. */
export const PASSPHRASE_SIZE_MIN = 5;

const IV_SIZE = 16;
const TAG_SIZE = 16;
const LOCKED_SIZE = IV_SIZE + TAG_SIZE + KEY_SIZE;
const SALT_SIZE = 32;
/** Rounds from the key to the id key. */
const ID_KEY_ROUNDS = 10;
const ID_KEY_SALT = new TextEncoder().encode("_id_key");
const FINGERPRINT_TEXT = new TextEncoder().encode("Proxmox Backup Encryption Key Fingerprint");
const FILE_SIZE_MAX = 1 << 20;
/** Limits on what a file may ask for: a hostile one must not take all memory or hours. */
const SCRYPT_MEMORY_MAX = 1 << 30;
const SCRYPT_PARALLELISM_MAX = 16;
const PBKDF2_ROUNDS_MAX = 100_000_000;
/** What new files get. */
const SCRYPT_NEW = { n: 65_536, r: 8, p: 1 };
const PBKDF2_ROUNDS_NEW = 65_535;

/** The primitives a key file is made of. */
export interface KeyCrypto {
  /** SHA-256 of all parts one behind the other. @returns 32 bytes */
  sha256(...parts: readonly Uint8Array[]): Uint8Array;
  /** PBKDF2 with HMAC-SHA256. */
  pbkdf2(password: Uint8Array, salt: Uint8Array, rounds: number, size: number): Uint8Array;
  /** Scrypt of RFC 7914. @returns `size` bytes */
  scrypt(
    password: Uint8Array,
    salt: Uint8Array,
    cost: { readonly n: number; readonly r: number; readonly p: number },
    size: number,
  ): Uint8Array;
  /** AES-256-GCM without additional data. */
  seal(key: Uint8Array, iv: Uint8Array, plain: Uint8Array): { tag: Uint8Array; sealed: Uint8Array };
  /** The reverse; undefined when the tag does not fit. */
  open(
    key: Uint8Array,
    iv: Uint8Array,
    tag: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined;
  /** Bytes that nobody can guess, for keys, salts and IVs. */
  randomBytes(size: number): Uint8Array;
}

/** How the key is locked; `none` leaves it in the open. */
export type KeyDerivation =
  | { readonly kind: "none" }
  | {
    readonly kind: "scrypt";
    readonly n: number;
    readonly r: number;
    readonly p: number;
    readonly salt: Uint8Array;
  }
  | { readonly kind: "pbkdf2"; readonly rounds: number; readonly salt: Uint8Array };

/** A parsed key file. */
export interface KeyFile {
  /** How the passphrase becomes the key that `data` is sealed with. */
  readonly derivation: KeyDerivation;
  /** RFC 3339, as in the file. */
  readonly created: string;
  /** When the passphrase was changed last; RFC 3339. */
  readonly modified: string;
  /** The key: IV, tag and ciphertext, or its 32 bytes where it is not locked. */
  readonly data: Uint8Array;
  /** 32 bytes; undefined where the file has none. */
  readonly fingerprint: Uint8Array | undefined;
  /** What reminds the owner of the passphrase, readable by all. */
  readonly hint: string | undefined;
}

/** What {@link makeKeyFile} is told. */
export interface NewKeyFile {
  /** The 32 bytes to keep. */
  readonly key: Uint8Array;
  /** How the passphrase is stretched; `none` keeps the key in the open. */
  readonly kind: KeyDerivation["kind"];
  /** Bytes of the passphrase; not used for `none`. */
  readonly passphrase?: Uint8Array | undefined;
  /** RFC 3339 with a numeric offset. */
  readonly now: string;
  /**
   * When the key itself was made, where that is not now: a changed passphrase leaves it as it is.
   */
  readonly created?: string | undefined;
  /** What shall remind of the passphrase; not for `none`. */
  readonly hint?: string | undefined;
}

/** The key that digests and signatures are made with. */
export function deriveIdKey(key: Uint8Array, primitives: KeyCrypto): Uint8Array {
  return primitives.pbkdf2(key, ID_KEY_SALT, ID_KEY_ROUNDS, KEY_SIZE);
}

/** What a key is recognized by; says nothing of the key itself. */
export function keyFingerprint(key: Uint8Array, primitives: KeyCrypto): Uint8Array {
  return primitives.sha256(primitives.sha256(FINGERPRINT_TEXT), deriveIdKey(key, primitives));
}

/** `xx:xx:…`, 32 pairs. */
export function formatFingerprint(fingerprint: Uint8Array): string {
  return fingerprint.toHex().replace(/..(?=.)/g, "$&:");
}

/**
 * Makes the key file for a key.
 *
 * @throws {AuthError} when a passphrase is needed and missing or too short
 */
export function makeKeyFile(wanted: NewKeyFile, primitives: KeyCrypto): KeyFile {
  const { key, now } = wanted;
  if (key.length !== KEY_SIZE) {
    throw new UsageError(`Cannot use a key of ${key.length} bytes: expected ${KEY_SIZE}`);
  }
  const derivation = newDerivation(wanted.kind, primitives);
  return {
    derivation,
    created: wanted.created ?? now,
    modified: now,
    data: derivation.kind === "none" ? key : lock(key, derivation, wanted.passphrase, primitives),
    fingerprint: keyFingerprint(key, primitives),
    hint: wanted.hint,
  };
}

/**
 * The key of a key file.
 *
 * @throws {AuthError} `passphrase` when it is missing, too short or wrong; `fingerprint` when the
 *   key is not the one named
 */
export function unlockKey(
  file: KeyFile,
  passphrase: Uint8Array | undefined,
  primitives: KeyCrypto,
): Uint8Array {
  const key = file.derivation.kind === "none"
    ? file.data
    : unlock(file.data, file.derivation, passphrase, primitives);
  const { fingerprint } = file;
  if (fingerprint !== undefined && !sameBytes(fingerprint, keyFingerprint(key, primitives))) {
    throw new AuthError("Cannot use key file: the key does not have the fingerprint in the file", {
      code: "fingerprint",
    });
  }
  return key;
}

/** Formats a key file as one line, fields in the usual order. */
export function formatKeyFile(file: KeyFile): string {
  return JSON.stringify({
    kdf: formatDerivation(file.derivation),
    created: file.created,
    modified: file.modified,
    data: file.data.toBase64(),
    fingerprint: file.fingerprint && formatFingerprint(file.fingerprint),
    hint: file.hint,
  });
}

/**
 * Parses a key file.
 *
 * @throws {FormatError} when it is none
 * @throws {LimitError} when it asks for more memory or rounds than is reasonable
 */
export function parseKeyFile(text: string): KeyFile {
  if (text.length > FILE_SIZE_MAX) {
    throw new LimitError(`Cannot parse key file: more than ${FILE_SIZE_MAX} characters`);
  }
  const fields = parseObject(text);
  const derivation = parseDerivation(fields["kdf"]);
  const data = parseBase64(fields["data"], "data");
  const size = derivation.kind === "none" ? KEY_SIZE : LOCKED_SIZE;
  if (data.length !== size) {
    throw invalid(`"data" has ${data.length} bytes, expected ${size}`);
  }
  return {
    derivation,
    created: parseText(fields["created"], "created") ?? "",
    modified: parseText(fields["modified"], "modified") ?? "",
    data,
    fingerprint: parseFingerprint(parseText(fields["fingerprint"], "fingerprint")),
    hint: parseText(fields["hint"], "hint"),
  };
}

type LockedDerivation = Exclude<KeyDerivation, { kind: "none" }>;

function newDerivation(kind: KeyDerivation["kind"], primitives: KeyCrypto): KeyDerivation {
  switch (kind) {
    case "none":
      return { kind };
    case "scrypt":
      return { kind, ...SCRYPT_NEW, salt: primitives.randomBytes(SALT_SIZE) };
    case "pbkdf2":
      return { kind, rounds: PBKDF2_ROUNDS_NEW, salt: primitives.randomBytes(SALT_SIZE) };
  }
}

function lock(
  key: Uint8Array,
  derivation: LockedDerivation,
  passphrase: Uint8Array | undefined,
  primitives: KeyCrypto,
): Uint8Array {
  const iv = primitives.randomBytes(IV_SIZE);
  const { tag, sealed } = primitives.seal(deriveKey(derivation, passphrase, primitives), iv, key);
  const data = new Uint8Array(LOCKED_SIZE);
  data.set(iv);
  data.set(tag, IV_SIZE);
  data.set(sealed, IV_SIZE + TAG_SIZE);
  return data;
}

function unlock(
  data: Uint8Array,
  derivation: LockedDerivation,
  passphrase: Uint8Array | undefined,
  primitives: KeyCrypto,
): Uint8Array {
  const key = primitives.open(
    deriveKey(derivation, passphrase, primitives),
    data.subarray(0, IV_SIZE),
    data.subarray(IV_SIZE, IV_SIZE + TAG_SIZE),
    data.subarray(IV_SIZE + TAG_SIZE),
  );
  if (key !== undefined) return key;
  throw new AuthError("Cannot unlock key file: the passphrase is wrong", { code: "passphrase" });
}

function deriveKey(
  derivation: LockedDerivation,
  passphrase: Uint8Array | undefined,
  primitives: KeyCrypto,
): Uint8Array {
  if (passphrase === undefined) {
    throw new AuthError("Cannot use key file: it needs a passphrase", { code: "passphrase" });
  }
  if (passphrase.length < PASSPHRASE_SIZE_MIN) {
    throw new AuthError(
      `Cannot use key file: the passphrase is shorter than ${PASSPHRASE_SIZE_MIN} bytes`,
      { code: "passphrase" },
    );
  }
  return derivation.kind === "scrypt"
    ? primitives.scrypt(passphrase, derivation.salt, derivation, KEY_SIZE)
    : primitives.pbkdf2(passphrase, derivation.salt, derivation.rounds, KEY_SIZE);
}

function formatDerivation(derivation: KeyDerivation): unknown {
  switch (derivation.kind) {
    case "none":
      return null;
    case "scrypt": {
      const { n, r, p, salt } = derivation;
      return { Scrypt: { n, r, p, salt: salt.toBase64() } };
    }
    case "pbkdf2":
      return { PBKDF2: { iter: derivation.rounds, salt: derivation.salt.toBase64() } };
  }
}

function parseDerivation(value: unknown): KeyDerivation {
  if (value === null || value === undefined) return { kind: "none" };
  if (!isObject(value)) throw invalid('"kdf" is neither null nor an object');
  const [name, ...more] = Object.keys(value);
  const parameters = name === undefined ? undefined : value[name];
  if (more.length > 0 || !isObject(parameters)) throw invalid('"kdf" must have exactly one key');
  const salt = parseBase64(parameters["salt"], "salt");
  if (name === "Scrypt") return parseScrypt(parameters, salt);
  if (name === "PBKDF2") {
    const rounds = parseCount(parameters["iter"], "iter", PBKDF2_ROUNDS_MAX);
    return { kind: "pbkdf2", rounds, salt };
  }
  throw new FormatError(`Cannot parse key file: key derivation "${name}" is not supported`, {
    code: "unsupported",
  });
}

function parseScrypt(parameters: Record<string, unknown>, salt: Uint8Array): KeyDerivation {
  const n = parseCount(parameters["n"], "n", SCRYPT_MEMORY_MAX);
  const r = parseCount(parameters["r"], "r", SCRYPT_MEMORY_MAX);
  const p = parseCount(parameters["p"], "p", SCRYPT_PARALLELISM_MAX);
  if (n < 2 || (n & (n - 1)) !== 0) throw invalid(`"n" is ${n}, expected a power of two`);
  if (128 * n * r > SCRYPT_MEMORY_MAX) {
    throw new LimitError(`Cannot parse key file: scrypt would need ${128 * n * r} bytes of memory`);
  }
  return { kind: "scrypt", n, r, p, salt };
}

function parseObject(text: string): Record<string, unknown> {
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (cause) {
    throw new FormatError("Cannot parse key file: it is not JSON", { cause });
  }
  if (!isObject(value)) throw invalid("it is not a JSON object");
  return value;
}

function parseCount(value: unknown, name: string, max: number): number {
  if (typeof value !== "number" || !Number.isInteger(value) || value < 1) {
    throw invalid(`"${name}" is not a whole number above 0`);
  }
  if (value > max) {
    throw new LimitError(`Cannot parse key file: "${name}" is ${value}, more than ${max}`);
  }
  return value;
}

function parseText(value: unknown, name: string): string | undefined {
  if (value === undefined || value === null) return undefined;
  if (typeof value !== "string") throw invalid(`"${name}" is not a string`);
  return value;
}

function parseBase64(value: unknown, name: string): Uint8Array {
  if (typeof value !== "string") throw invalid(`"${name}" is not a string`);
  try {
    return Uint8Array.fromBase64(value);
  } catch (cause) {
    throw new FormatError(`Cannot parse key file: "${name}" is not base64`, { cause });
  }
}

function parseFingerprint(text: string | undefined): Uint8Array | undefined {
  if (text === undefined) return undefined;
  if (!/^[\da-f]{2}(:[\da-f]{2}){31}$/i.test(text)) {
    throw invalid('"fingerprint" is not 32 pairs of hexadecimal digits');
  }
  return Uint8Array.fromHex(text.replaceAll(":", ""));
}

function isObject(value: unknown): value is Record<string, unknown> {
  return typeof value === "object" && value !== null && !Array.isArray(value);
}

function invalid(what: string): FormatError {
  return new FormatError(`Cannot parse key file: ${what}`);
}

function sameBytes(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}
