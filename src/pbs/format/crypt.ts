/**
 * What encryption does to a snapshot.
 *
 * @module
 */

/**
 * `none`: nothing is encrypted or signed. `sign-only`: the manifest is signed. `encrypt`: chunks
 * and blobs are encrypted too. A snapshot has one mode for all its files.
 */
export type CryptMode = "none" | "sign-only" | "encrypt";

/** All modes, as they are spelled in manifests and on the command line. */
export const CRYPT_MODES: readonly CryptMode[] = ["none", "sign-only", "encrypt"];
