/**
 * The worked values of keys, digests, blobs, signatures and catalogs. Byte strings are hexadecimal
 * unless a name says otherwise.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { JsonValue } from "#src/pbs/format/canonical_json.ts";

interface KeyFileVector {
  readonly file: string | null;
  readonly note?: string;
  readonly kdf: "Scrypt" | "PBKDF2" | null;
  readonly passphrase_text?: string;
  readonly salt?: string;
  readonly n?: number;
  readonly r?: number;
  readonly p?: number;
  readonly iter?: number;
  readonly derived_key?: string;
  readonly data?: string;
  readonly iv?: string;
  readonly enc_key: string;
  readonly id_key: string;
  readonly fingerprint_text: string;
}

interface DigestVector {
  readonly data_note: string;
  readonly data?: string;
  readonly plain_digest: string;
  readonly id_key: string;
  readonly encrypted_digest: string;
}

interface BlobVector {
  readonly kind: string;
  readonly data: string;
  readonly blob: string;
  readonly enc_key?: string;
  readonly iv?: string;
  readonly frame?: string;
}

interface SignatureVector {
  readonly snapshot?: string;
  readonly enc_key?: string;
  readonly id_key?: string;
  readonly canonical_text?: string;
  readonly canonical_sha256?: string;
  readonly signature?: string;
  readonly value?: JsonValue;
  readonly canonical_hex?: string;
}

interface NumberVector {
  /** Decimal. */
  readonly value: string;
  readonly bytes: string;
}

/** What `crypto-vectors.json` has, as far as it is used. */
export interface CryptoVectors {
  readonly key_files: readonly KeyFileVector[];
  readonly fingerprint: Readonly<
    Record<
      | "prefix_text"
      | "prefix_sha256"
      | "enc_key"
      | "id_key"
      | "hashed"
      | "fingerprint_text"
      | "short_text",
      string
    >
  >;
  readonly chunk_digests: readonly DigestVector[];
  readonly blobs: readonly BlobVector[];
  readonly manifest_signatures: readonly SignatureVector[];
  readonly rsa_key_blob: {
    readonly snapshot: string;
    readonly file: string;
    readonly blob_size: number;
    readonly blob_sha256: string;
    readonly plaintext_text: string;
    readonly enc_key: string;
  };
  readonly catalog_varints: {
    readonly u64: readonly NumberVector[];
    readonly i64: readonly NumberVector[];
  };
  readonly catalog: { readonly table_offsets: readonly number[]; readonly stream: string };
  readonly index_checksums: {
    readonly dynamic: {
      readonly entries: readonly { readonly end: number; readonly digest: ChunkDigest }[];
      readonly index_csum: string;
    };
    readonly fixed: { readonly digests: readonly ChunkDigest[]; readonly index_csum: string };
  };
}

/** Reads them. */
export function cryptoVectors(): CryptoVectors {
  const url = new URL("../fixtures/crypto-vectors.json", import.meta.url);
  return JSON.parse(Deno.readTextFileSync(url));
}
