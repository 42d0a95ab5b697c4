/**
 * The cryptographic primitives of key files and signatures, from the runtime's own library.
 *
 * @module
 */

import {
  createCipheriv,
  createDecipheriv,
  createHash,
  createHmac,
  pbkdf2Sync,
  randomBytes,
  scryptSync,
} from "node:crypto";

/** scrypt needs 128·n·r bytes and a little more. */
const SCRYPT_MEMORY_MAX = (1 << 30) + (1 << 20);
const ALGORITHM = "aes-256-gcm";

/** Hashes, key derivation and AES-256-GCM; the interface that key files ask for. */
export const keyCrypto = {
  /** SHA-256 over the parts one after another. */
  sha256(...parts: readonly Uint8Array[]): Uint8Array {
    const hash = createHash("sha256");
    for (const part of parts) hash.update(part);
    return plain(hash.digest());
  },

  /** HMAC-SHA256. */
  hmacSha256(key: Uint8Array, message: Uint8Array): Uint8Array {
    return plain(createHmac("sha256", key).update(message).digest());
  },

  /** PBKDF2 with HMAC-SHA256. */
  pbkdf2(password: Uint8Array, salt: Uint8Array, rounds: number, size: number): Uint8Array {
    return plain(pbkdf2Sync(password, salt, rounds, size, "sha256"));
  },

  /** scrypt (RFC 7914). */
  scrypt(
    password: Uint8Array,
    salt: Uint8Array,
    { n, r, p }: { readonly n: number; readonly r: number; readonly p: number },
    size: number,
  ): Uint8Array {
    const options = { N: n, r, p, maxmem: SCRYPT_MEMORY_MAX };
    return plain(scryptSync(password, salt, size, options));
  },

  /** Encrypts with AES-256-GCM. */
  seal(
    key: Uint8Array,
    iv: Uint8Array,
    content: Uint8Array,
  ): { tag: Uint8Array; sealed: Uint8Array } {
    const cipher = createCipheriv(ALGORITHM, key, iv);
    const sealed = plain(cipher.update(content));
    cipher.final();
    return { tag: plain(cipher.getAuthTag()), sealed };
  },

  /** Decrypts; undefined when key, tag and content do not belong together. */
  open(
    key: Uint8Array,
    iv: Uint8Array,
    tag: Uint8Array,
    sealed: Uint8Array,
  ): Uint8Array | undefined {
    const decipher = createDecipheriv(ALGORITHM, key, iv);
    decipher.setAuthTag(tag);
    const content = plain(decipher.update(sealed));
    try {
      decipher.final();
    } catch {
      return undefined;
    }
    return content;
  },

  /** Bytes nobody can predict. */
  randomBytes(size: number): Uint8Array {
    return plain(randomBytes(size));
  },
};

/** A Buffer is a Uint8Array with surprises. */
function plain(bytes: Uint8Array): Uint8Array {
  return new Uint8Array(bytes);
}
