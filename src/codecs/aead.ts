/**
 * AES-256-GCM without additional data: libcrypto, else the built-in.
 *
 * @module
 */

import { createCipheriv, createDecipheriv } from "node:crypto";
import { loadLibcrypto } from "#ffi/libcrypto.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";

/** Bytes of an authentication tag. */
export const TAG_SIZE = 16;

const ALGORITHM = "aes-256-gcm";

/** Key, IV and tag of one message. */
export interface AeadMessage {
  /** 32 bytes. */
  readonly key: Uint8Array<ArrayBuffer>;
  /** Any length; 12 bytes are used as they are, others are hashed as the standard says. */
  readonly iv: Uint8Array<ArrayBuffer>;
  /** {@link TAG_SIZE} bytes. */
  readonly tag: Uint8Array<ArrayBuffer>;
}

/**
 * Works on `size` bytes of `source` from `sourceStart`, and puts as many bytes into `target` from
 * `targetStart`; both may be the same region. The regions must lie inside their buffers, which is
 * the caller's duty.
 */
export type AeadCall<Result> = (
  message: AeadMessage,
  source: NativeBuffer,
  sourceStart: number,
  size: number,
  target: NativeBuffer,
  targetStart: number,
) => Result;

/** An authenticated cipher. */
export interface Aead {
  /** Encrypts, and fills in the tag of the message. */
  readonly seal: AeadCall<void>;
  /**
   * Decrypts. @returns false when key, IV, tag and bytes do not belong together; the target is then
   * worthless
   */
  readonly open: AeadCall<boolean>;
}

/** By libcrypto, or undefined where it is not installed. */
export function aeadByLibrary(): Aead | undefined {
  const library = loadLibcrypto();
  if (library === undefined) return undefined;
  const call = (
    isEncrypting: boolean,
    { key, iv, tag }: AeadMessage,
    source: NativeBuffer,
    sourceStart: number,
    size: number,
    target: NativeBuffer,
    targetStart: number,
  ) =>
    library.aes256Gcm(
      isEncrypting,
      key,
      iv,
      tag,
      source.address + BigInt(sourceStart),
      size,
      target.address + BigInt(targetStart),
    );
  return {
    seal: (...parameters) => {
      call(true, ...parameters);
    },
    open: (...parameters) => call(false, ...parameters),
  };
}

/** Without FFI. */
export const aeadBuiltIn: Aead = {
  seal({ key, iv, tag }, source, sourceStart, size, target, targetStart) {
    const cipher = createCipheriv(ALGORITHM, key, iv);
    const sealed = cipher.update(source.bytes.subarray(sourceStart, sourceStart + size));
    cipher.final();
    target.bytes.set(sealed, targetStart);
    tag.set(cipher.getAuthTag());
  },
  open({ key, iv, tag }, source, sourceStart, size, target, targetStart) {
    const decipher = createDecipheriv(ALGORITHM, key, iv);
    decipher.setAuthTag(tag);
    const plain = decipher.update(source.bytes.subarray(sourceStart, sourceStart + size));
    try {
      decipher.final();
    } catch {
      // The built-in says it with an exception only.
      return false;
    }
    target.bytes.set(plain, targetStart);
    return true;
  },
};
