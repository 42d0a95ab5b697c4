/**
 * RSA keys in PEM form, from the runtime's own library; encryption with the padding of PKCS #1
 * v1.5.
 *
 * @module
 */

import {
  constants,
  createPrivateKey,
  createPublicKey,
  generateKeyPairSync,
  type KeyObject,
  privateDecrypt,
  publicEncrypt,
} from "node:crypto";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";

/** Size of new keys. */
const MODULUS_BITS = 4096;
/** What the padding takes at least. */
const PADDING_SIZE_MIN = 11;
const PEM_SIZE_MAX = 1 << 20;
const ENCRYPTED_PEM = /^-----BEGIN ENCRYPTED PRIVATE KEY-----|^Proc-Type: 4,ENCRYPTED/m;

/** A new pair of keys. */
export interface RsaKeyPair {
  /** SubjectPublicKeyInfo. */
  readonly publicPem: string;
  /** PKCS #8, encrypted with AES-256-CBC. */
  readonly privatePem: string;
}

/** What can be told of a public key. */
export interface RsaPublicKey {
  /** The modulus, big-endian. */
  readonly modulus: Uint8Array;
  /** The public exponent, usually 65537. */
  readonly exponent: bigint;
  /** Length of the modulus in bits: the strength of the key. */
  readonly bits: number;
}

/** Makes a pair of keys; takes about a second. */
export function generateRsaKeys(passphrase: string): RsaKeyPair {
  const { publicKey, privateKey } = generateKeyPairSync("rsa", {
    modulusLength: MODULUS_BITS,
    publicKeyEncoding: { type: "spki", format: "pem" },
    privateKeyEncoding: { type: "pkcs8", format: "pem", cipher: "aes-256-cbc", passphrase },
  });
  return { publicPem: publicKey, privatePem: privateKey };
}

/**
 * Reads a public key.
 *
 * @throws {FormatError} when it is none
 */
export function describeRsaKey(publicPem: string): RsaPublicKey {
  const { n, e } = loadPublicKey(publicPem).export({ format: "jwk" });
  const [modulus, exponent] = [n, e].map((text) =>
    Uint8Array.fromBase64(text as string, { alphabet: "base64url" })
  ) as [Uint8Array, Uint8Array];
  return {
    modulus,
    exponent: BigInt(`0x${exponent.toHex()}`),
    bits: 8 * modulus.length - Math.clz32(modulus[0]!) + 24,
  };
}

/**
 * Encrypts for the owner of the private key.
 *
 * @throws {FormatError} when the PEM is no RSA public key
 * @throws {LimitError} when the text is too long for the key
 */
export function encryptRsa(publicPem: string, plain: Uint8Array): Uint8Array<ArrayBuffer> {
  const key = loadPublicKey(publicPem);
  const size = describeRsaKey(publicPem).modulus.length;
  if (plain.length > size - PADDING_SIZE_MIN) {
    throw new LimitError(`Cannot encrypt ${plain.length} bytes: the RSA key has only ${size}`);
  }
  return new Uint8Array(publicEncrypt({ key, padding: constants.RSA_PKCS1_PADDING }, plain));
}

/**
 * Decrypts what {@link encryptRsa} made.
 *
 * @param passphrase of the private key; not used where that is not encrypted
 * @throws {FormatError} when the PEM is no RSA private key
 * @throws {AuthError} `passphrase` when it is missing or wrong
 * @throws {IntegrityError} `decrypt` when the bytes were encrypted for another key, or are damaged
 */
export function decryptRsa(
  privatePem: string,
  passphrase: string | undefined,
  sealed: Uint8Array,
): Uint8Array<ArrayBuffer> {
  const key = loadPrivateKey(privatePem, passphrase);
  try {
    const padding = constants.RSA_PKCS1_PADDING;
    return new Uint8Array(privateDecrypt({ key, padding }, sealed));
  } catch (cause) {
    throw new IntegrityError("Cannot decrypt: the RSA key is another one, or the data is damaged", {
      code: "decrypt",
      cause,
    });
  }
}

function loadPublicKey(pem: string): KeyObject {
  return requireRsa(() => createPublicKey(checkSize(pem)), "public");
}

function loadPrivateKey(pem: string, passphrase: string | undefined): KeyObject {
  if (!ENCRYPTED_PEM.test(checkSize(pem))) {
    return requireRsa(() => createPrivateKey(pem), "private");
  }
  if (passphrase === undefined) {
    throw new AuthError("Cannot use RSA private key: it needs a passphrase", {
      code: "passphrase",
    });
  }
  let key: KeyObject;
  try {
    key = createPrivateKey({ key: pem, passphrase });
  } catch (cause) {
    // The library does not tell a wrong passphrase from damage: both leave nonsense.
    throw new AuthError("Cannot use RSA private key: the passphrase is wrong", {
      code: "passphrase",
      cause,
    });
  }
  return requireRsa(() => key, "private");
}

function requireRsa(load: () => KeyObject, kind: "public" | "private"): KeyObject {
  let key: KeyObject;
  try {
    key = load();
  } catch (cause) {
    throw new FormatError(`Cannot read RSA ${kind} key: it is not a PEM document of one`, {
      cause,
    });
  }
  if (key.asymmetricKeyType === "rsa" && key.type === kind) return key;
  throw new FormatError(`Cannot read RSA ${kind} key: it is a key of another kind`);
}

function checkSize(pem: string): string {
  if (pem.length <= PEM_SIZE_MAX) return pem;
  throw new LimitError(`Cannot read RSA key: more than ${PEM_SIZE_MAX} characters`);
}
