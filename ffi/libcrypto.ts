/**
 * OpenSSL's libcrypto: SHA-256 and AES-256-GCM over memory given by address. Optional.
 *
 * @module
 */

const HASH_SYMBOLS = {
  // EVP_MD_CTX *EVP_MD_CTX_new(void)
  EVP_MD_CTX_new: { parameters: [], result: "usize" },
  // const EVP_MD *EVP_sha256(void)
  EVP_sha256: { parameters: [], result: "usize" },
  EVP_DigestInit_ex: {
    parameters: [
      "usize", // EVP_MD_CTX *ctx
      "usize", // const EVP_MD *type; NULL: the one of the call before
      "usize", // ENGINE *impl
    ],
    result: "i32",
  },
  EVP_DigestUpdate: {
    parameters: [
      "usize", // EVP_MD_CTX *ctx
      "usize", // const void *d
      "usize", // size_t cnt
    ],
    result: "i32",
  },
  EVP_DigestFinal_ex: {
    parameters: [
      "usize", // EVP_MD_CTX *ctx
      "buffer", // unsigned char *md
      "usize", // unsigned int *s
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

const CIPHER_SYMBOLS = {
  // EVP_CIPHER_CTX *EVP_CIPHER_CTX_new(void)
  EVP_CIPHER_CTX_new: { parameters: [], result: "usize" },
  // const EVP_CIPHER *EVP_aes_256_gcm(void)
  EVP_aes_256_gcm: { parameters: [], result: "usize" },
  EVP_CIPHER_CTX_ctrl: {
    parameters: [
      "usize", // EVP_CIPHER_CTX *ctx
      "i32", // int type
      "i32", // int arg
      "buffer", // void *ptr
    ],
    result: "i32",
  },
  EVP_CipherInit_ex: {
    parameters: [
      "usize", // EVP_CIPHER_CTX *ctx
      "usize", // const EVP_CIPHER *type; NULL: the one of the call before
      "usize", // ENGINE *impl
      "buffer", // const unsigned char *key
      "buffer", // const unsigned char *iv
      "i32", // int enc
    ],
    result: "i32",
  },
  EVP_CipherUpdate: {
    parameters: [
      "usize", // EVP_CIPHER_CTX *ctx
      "usize", // unsigned char *out
      "buffer", // int *outl
      "usize", // const unsigned char *in
      "i32", // int inl
    ],
    result: "i32",
  },
  EVP_CipherFinal_ex: {
    parameters: [
      "usize", // EVP_CIPHER_CTX *ctx
      "buffer", // unsigned char *out
      "buffer", // int *outl
    ],
    result: "i32",
  },
} as const satisfies Deno.ForeignLibraryInterface;

/** Bound when a thread ends. */
const FREE_SYMBOLS = {
  // void EVP_MD_CTX_free(EVP_MD_CTX *)
  EVP_MD_CTX_free: { parameters: ["usize"], result: "void" },
  // void EVP_CIPHER_CTX_free(EVP_CIPHER_CTX *)
  EVP_CIPHER_CTX_free: { parameters: ["usize"], result: "void" },
} as const satisfies Deno.ForeignLibraryInterface;

/** Newest first. */
const NAMES = ["libcrypto.so.3", "libcrypto.so.1.1"];

const SHA256_SIZE = 32;
const TAG_SIZE = 16;
const CTRL_AEAD_SET_IVLEN = 0x9;
const CTRL_AEAD_GET_TAG = 0x10;
const CTRL_AEAD_SET_TAG = 0x11;

/** The calls this program uses. Addresses and sizes must be right: nothing is checked. */
export interface Libcrypto {
  /**
   * SHA-256 of the bytes at an address, followed by those of another one where `suffixSize` is
   * above 0.
   */
  sha256(
    address: bigint,
    size: bigint,
    suffixAddress: bigint,
    suffixSize: bigint,
  ): Uint8Array<ArrayBuffer>;
  /**
   * AES-256-GCM without additional data over at most 2 GiB; source and target may be the same.
   *
   * @param tag 16 bytes, filled in when encrypting
   * @returns false when decrypting and the tag does not fit; the target then has to be thrown away
   */
  aes256Gcm(
    isEncrypting: boolean,
    key: Uint8Array<ArrayBuffer>,
    iv: Uint8Array<ArrayBuffer>,
    tag: Uint8Array<ArrayBuffer>,
    source: bigint,
    size: number,
    target: bigint,
  ): boolean;
  /** Frees the memory of the other calls, which must not follow. */
  free(): void;
}

let loaded: Libcrypto | undefined | null;

/** The library, or undefined where it is not installed. Loaded at the first call. */
export function loadLibcrypto(): Libcrypto | undefined {
  loaded ??= load() ?? null;
  return loaded ?? undefined;
}

/**
 * Frees what this thread has made of the library, which goes with no thread by itself. What was
 * loaded must not be used any more.
 */
export function unloadLibcrypto(): void {
  loaded?.free();
  loaded = undefined;
}

type Symbols<Interface extends Deno.ForeignLibraryInterface> = Deno.DynamicLibrary<
  Interface
>["symbols"];

function openLibrary<Interface extends Deno.ForeignLibraryInterface>(
  symbols: Interface,
): Symbols<Interface> | undefined {
  for (const name of NAMES) {
    try {
      return Deno.dlopen(name, symbols).symbols;
    } catch (error) {
      if (error instanceof Deno.errors.NotCapable) throw error;
    }
  }
  return undefined;
}

function load(): Libcrypto | undefined {
  const symbols = openLibrary(HASH_SYMBOLS);
  if (symbols === undefined) return undefined;
  const hash = symbols.EVP_MD_CTX_new();
  if (hash === 0n) return undefined;
  // The algorithm is looked up once: later calls pass NULL and keep it.
  check(symbols.EVP_DigestInit_ex(hash, symbols.EVP_sha256(), 0n));
  let cipher: Cipher | undefined;
  return {
    sha256: (address, size, suffixAddress, suffixSize) => {
      const digest = new Uint8Array(SHA256_SIZE);
      check(symbols.EVP_DigestInit_ex(hash, 0n, 0n));
      check(symbols.EVP_DigestUpdate(hash, address, size));
      if (suffixSize > 0n) check(symbols.EVP_DigestUpdate(hash, suffixAddress, suffixSize));
      check(symbols.EVP_DigestFinal_ex(hash, digest, 0n));
      return digest;
    },
    // Most runs encrypt nothing, and each symbol takes 0.1 ms to bind.
    aes256Gcm: (...parameters) => (cipher ??= loadCipher()).aes256Gcm(...parameters),
    free: () => {
      const { EVP_CIPHER_CTX_free, EVP_MD_CTX_free } = openLibrary(FREE_SYMBOLS)!;
      EVP_MD_CTX_free(hash);
      if (cipher !== undefined) EVP_CIPHER_CTX_free(cipher.context);
    },
  };
}

interface Cipher extends Pick<Libcrypto, "aes256Gcm"> {
  /** Address of its EVP_CIPHER_CTX. */
  readonly context: bigint;
}

function loadCipher(): Cipher {
  const symbols = openLibrary(CIPHER_SYMBOLS)!;
  const context = symbols.EVP_CIPHER_CTX_new();
  check(context === 0n ? 0 : 1);
  // Like that of the digest.
  check(symbols.EVP_CipherInit_ex(context, symbols.EVP_aes_256_gcm(), 0n, null, null, 1));
  return { aes256Gcm: makeAes256Gcm(symbols, context), context };
}

function makeAes256Gcm(
  symbols: Symbols<typeof CIPHER_SYMBOLS>,
  context: bigint,
): Libcrypto["aes256Gcm"] {
  const produced = new Uint8Array(4);
  const nothing = new Uint8Array(TAG_SIZE);
  let ivSize = 0;
  return (isEncrypting, key, iv, tag, source, size, target) => {
    if (iv.length !== ivSize) {
      check(symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_SET_IVLEN, iv.length, null));
      ivSize = iv.length;
    }
    check(symbols.EVP_CipherInit_ex(context, 0n, 0n, key, iv, isEncrypting ? 1 : 0));
    if (!isEncrypting) {
      check(symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_SET_TAG, TAG_SIZE, tag));
    }
    if (size > 0) check(symbols.EVP_CipherUpdate(context, target, produced, source, size));
    const isRight = symbols.EVP_CipherFinal_ex(context, nothing, produced) === 1;
    if (!isEncrypting) return isRight;
    check(isRight ? 1 : 0);
    check(symbols.EVP_CIPHER_CTX_ctrl(context, CTRL_AEAD_GET_TAG, TAG_SIZE, tag));
    return true;
  };
}

/** None of these calls fails with right arguments, but for want of memory. */
function check(result: number): void {
  if (result !== 1) throw new Error("Cannot compute: libcrypto failed");
}
