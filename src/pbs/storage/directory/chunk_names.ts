/**
 * Names of chunk files as C strings, relative to `.chunks`, in reused buffers.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import type { CName } from "#ffi/libc/named.ts";

const PREFIX_LENGTH = 4;
const DIGEST_LENGTH = 64;
/** `abcd/` and the digest. */
const FINAL_LENGTH = PREFIX_LENGTH + 1 + DIGEST_LENGTH;
const TEMPORARY_MARK = ".tmp_";
const RANDOM_LENGTH = 6;
const SLASH = 0x2f;
/** Digits of the random part, as mkstemp(3) has them. */
const LETTERS = "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789";

/** Directory of a chunk inside of `.chunks`. */
export function chunkDirectory(digest: ChunkDigest): string {
  return digest.slice(0, PREFIX_LENGTH);
}

/** The names that go with one digest at a time. */
export class ChunkNames {
  /** `abcd/abcd…` */
  readonly final: CName = new Uint8Array(FINAL_LENGTH + 1);
  /** `abcd/abcd….tmp_XXXXXX` */
  readonly temporary: CName = new Uint8Array(
    FINAL_LENGTH + TEMPORARY_MARK.length + RANDOM_LENGTH + 1,
  );
  /** `abcd` */
  readonly directory: CName = new Uint8Array(PREFIX_LENGTH + 1);
  readonly #random = new Uint8Array(RANDOM_LENGTH);
  #digest = "";

  constructor() {
    new TextEncoder().encodeInto(TEMPORARY_MARK, this.temporary.subarray(FINAL_LENGTH));
    crypto.getRandomValues(this.#random);
    this.renew();
  }

  /** Makes the names those of `digest`. */
  set(digest: ChunkDigest): void {
    if (digest === this.#digest) return;
    this.#digest = digest;
    for (let index = 0; index < DIGEST_LENGTH; index++) {
      const code = digest.charCodeAt(index);
      this.final[PREFIX_LENGTH + 1 + index] = code;
      this.temporary[PREFIX_LENGTH + 1 + index] = code;
    }
    for (let index = 0; index < PREFIX_LENGTH; index++) {
      const code = digest.charCodeAt(index);
      this.final[index] = code;
      this.temporary[index] = code;
      this.directory[index] = code;
    }
    this.final[PREFIX_LENGTH] = SLASH;
    this.temporary[PREFIX_LENGTH] = SLASH;
  }

  /** Gives the temporary name another random part. */
  renew(): void {
    const start = FINAL_LENGTH + TEMPORARY_MARK.length;
    let carry = 1;
    for (let index = 0; index < RANDOM_LENGTH; index++) {
      const next = (this.#random[index]! % LETTERS.length) + carry;
      carry = next === LETTERS.length ? 1 : 0;
      this.#random[index] = next % LETTERS.length;
      this.temporary[start + index] = LETTERS.charCodeAt(this.#random[index]!);
    }
  }
}
