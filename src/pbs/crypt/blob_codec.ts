/**
 * Blobs: plain data to stored bytes and back, with every check that the stored bytes allow.
 *
 * @module
 */

import { type ChunkDigest, digestOf } from "#src/bytes/chunk_digest.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { TAG_SIZE } from "#src/codecs/aead.ts";
import { crc32 } from "#src/codecs/hashing.ts";
import type { Codecs } from "#src/codecs/codecs.ts";
import { zstdContentSizeMax } from "#src/codecs/zstd_frame.ts";
import { AuthError, FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import type { CryptConfig } from "./crypt_config.ts";
import {
  BLOB_DATA_SIZE_MAX,
  BLOB_IV_SIZE,
  type BlobHeader,
  blobHeaderSize,
  encodeBlobHeader,
  ENCRYPTED_BLOB_HEADER_SIZE,
  parseBlobHeader,
} from "../format/blob.ts";

/** What becomes of the data. */
export interface BlobEncodeOptions {
  /** Whether compression is tried; it is kept where it makes the data shorter. */
  readonly compress: boolean;
  /** Encrypts with this key. */
  readonly crypt?: CryptConfig | undefined;
}

/** What the data must be like. */
export interface BlobDecodeOptions {
  /** Decrypts what is encrypted. */
  readonly crypt?: CryptConfig | undefined;
  /**
   * Most plain bytes; default {@link BLOB_DATA_SIZE_MAX}. Nothing of that size is taken before it
   * is needed.
   */
  readonly sizeMax?: number | undefined;
  /** Exact number of plain bytes. */
  readonly size?: number | undefined;
  /** Digest of the plain data; see {@link BlobCodec.digest}. */
  readonly digest?: ChunkDigest | undefined;
  /** Whether the blob has to be encrypted (true) or must not be (false). */
  readonly isEncrypted?: boolean | undefined;
  /** Whether the CRC is known to be right. Default: false. */
  readonly isCrcTrusted?: boolean | undefined;
}

/** Stored bytes of a blob, `size` bytes of `buffer` from `start` on. */
export interface EncodedBlob {
  /** Of the codec or its caller; good until the codec's next call. */
  readonly buffer: NativeBuffer;
  /** Where the blob begins in `buffer.bytes`. */
  readonly start: number;
  /** Length of the blob with its header, in bytes. */
  readonly size: number;
  /** Whether compression made it smaller, and was kept. */
  readonly isCompressed: boolean;
  /** Whether it needs the key to be read. */
  readonly isEncrypted: boolean;
}

type FillRandom = (target: Uint8Array<ArrayBuffer>) => void;

/** Below this no buffer is worth replacing by a larger one later. */
const SCRATCH_SIZE_MIN = 64 << 10;

/**
 * Encodes and decodes blobs. One for each thread: it has buffers of its own, which grow as large as
 * its largest blob.
 */
export class BlobCodec {
  readonly #codecs: Codecs;
  readonly #fillRandom: FillRandom;
  readonly #tag = new Uint8Array(TAG_SIZE);
  readonly #iv = new Uint8Array(BLOB_IV_SIZE);
  #scratch: NativeBuffer;

  /** `fillRandom` gives initialization vectors, of which no two blobs may have the same. */
  constructor(
    codecs: Codecs,
    fillRandom: FillRandom = (target) => {
      crypto.getRandomValues(target);
    },
  ) {
    this.#codecs = codecs;
    this.#fillRandom = fillRandom;
    this.#scratch = codecs.allocate(SCRATCH_SIZE_MIN);
  }

  /** The name of a chunk: of its plain data, and of the id key where it is encrypted. */
  digest(
    plain: NativeBuffer,
    start: number,
    size: number,
    crypt?: CryptConfig | undefined,
  ): ChunkDigest {
    return digestOf(this.#codecs.sha256(plain, start, size, crypt?.idKey));
  }

  /**
   * Makes a blob of `size` bytes of `plain` from `start` on.
   *
   * @returns bytes that are valid until the next call
   * @throws {LimitError} when there are more than {@link BLOB_DATA_SIZE_MAX}
   */
  encode(
    plain: NativeBuffer,
    start: number,
    size: number,
    { compress, crypt }: BlobEncodeOptions,
  ): EncodedBlob {
    if (size > BLOB_DATA_SIZE_MAX) throw tooLarge("write", size, BLOB_DATA_SIZE_MAX);
    const isEncrypted = crypt !== undefined;
    const headerSize = blobHeaderSize(isEncrypted);
    const buffer = this.#reserve(ENCRYPTED_BLOB_HEADER_SIZE + size);
    const packed = compress && size > 0
      ? this.#codecs.compressZstd(plain, start, size, buffer, headerSize, size - 1)
      : -1;
    const isCompressed = packed >= 0;
    const dataSize = isCompressed ? packed : size;
    if (crypt !== undefined) {
      this.#fillRandom(this.#iv);
      const message = { key: crypt.key, iv: this.#iv, tag: this.#tag };
      const [source, from] = isCompressed ? [buffer, headerSize] : [plain, start];
      this.#codecs.aead.seal(message, source, from, dataSize, buffer, headerSize);
    } else if (!isCompressed) {
      buffer.bytes.set(plain.bytes.subarray(start, start + size), headerSize);
    }
    const crc = crc32(buffer.bytes, headerSize, dataSize);
    const header = { isCompressed, isEncrypted, crc, iv: this.#iv, tag: this.#tag };
    encodeBlobHeader(header, buffer.bytes, 0);
    return { buffer, start: 0, size: headerSize + dataSize, isCompressed, isEncrypted };
  }

  /** As {@link encode}, for data that need not have an address; the result is the caller's. */
  encodeBytes(
    plain: Uint8Array<ArrayBuffer>,
    options: BlobEncodeOptions,
  ): Uint8Array<ArrayBuffer> {
    const { buffer, start, size } = this.encode(this.#own(plain), 0, plain.length, options);
    return buffer.bytes.slice(start, start + size);
  }

  /**
   * Checks a blob and puts its plain data into `target`, at most `targetSize` bytes from
   * `targetStart` on. On an error the region holds anything.
   *
   * @returns the number of plain bytes
   * @throws {FormatError} when the bytes are no blob, or its compressed data is damaged
   * @throws {IntegrityError} `crc`, `tag`, `length`, `digest` or `crypt-mode`: what does not fit
   * @throws {AuthError} `missing-key` when it is encrypted and there is no key
   * @throws {LimitError} when it has more plain bytes than allowed or than the target takes
   */
  decodeInto(
    stored: NativeBuffer,
    storedStart: number,
    storedSize: number,
    target: NativeBuffer,
    targetStart: number,
    targetSize: number,
    options: BlobDecodeOptions = {},
  ): number {
    const header = this.#checkHeader(stored, storedStart, storedSize, options);
    const sizeMax = Math.min(targetSize, options.sizeMax ?? BLOB_DATA_SIZE_MAX);
    const start = storedStart + header.headerSize;
    const size = storedSize - header.headerSize;
    let plainSize: number;
    if (header.isCompressed) {
      const [frame, frameStart] = this.#decrypted(header, stored, start, size, options.crypt);
      const needed = contentSizeMax(frame, frameStart, size);
      // Of a frame that does not state it the size is only known afterwards.
      const room = Math.min(needed, sizeMax);
      plainSize = this.#codecs.zstd(frame, frameStart, size, target, targetStart, room);
      if (plainSize < 0 && needed > sizeMax) throw tooMuch(needed, sizeMax, options.size);
      if (plainSize < 0) throw new FormatError("Cannot read blob: its compressed data is damaged");
    } else {
      if (size > sizeMax) throw tooMuch(size, sizeMax, options.size);
      plainSize = size;
      if (header.isEncrypted) {
        this.#open(header, options.crypt!, stored, start, size, target, targetStart);
      } else {
        target.bytes.set(stored.bytes.subarray(start, start + size), targetStart);
      }
    }
    this.#checkPlain(header, target, targetStart, plainSize, options);
    return plainSize;
  }

  /**
   * As {@link decodeInto}, for a blob that need not have an address and whose size need not be
   * known.
   *
   * @returns the plain data, which is the caller's
   */
  decodeBytes(
    bytes: Uint8Array<ArrayBuffer>,
    options: BlobDecodeOptions = {},
  ): Uint8Array<ArrayBuffer> {
    const stored = this.#own(bytes);
    const header = this.#checkHeader(stored, 0, bytes.length, options);
    const sizeMax = options.sizeMax ?? BLOB_DATA_SIZE_MAX;
    let needed = bytes.length - header.headerSize;
    if (header.isCompressed) {
      const [frame, start] = this.#decrypted(
        header,
        stored,
        header.headerSize,
        needed,
        options.crypt,
      );
      needed = contentSizeMax(frame, start, needed);
    }
    const target = this.#codecs.allocate(Math.min(needed, sizeMax));
    const capacity = target.bytes.length;
    const size = this.decodeInto(stored, 0, bytes.length, target, 0, capacity, options);
    return size === capacity ? target.bytes : target.bytes.slice(0, size);
  }

  /** What can be said of a blob before its data is touched. */
  #checkHeader(
    stored: NativeBuffer,
    start: number,
    size: number,
    { crypt, isEncrypted, isCrcTrusted }: BlobDecodeOptions,
  ): BlobHeader {
    const header = parseBlobHeader(stored.bytes, start, size);
    const { headerSize, crc } = header;
    if (
      isCrcTrusted !== true && crc32(stored.bytes, start + headerSize, size - headerSize) !== crc
    ) {
      throw new IntegrityError("Cannot read blob: its CRC is wrong", { code: "crc" });
    }
    if (isEncrypted !== undefined && header.isEncrypted !== isEncrypted) {
      const state = header.isEncrypted ? "is" : "is not";
      throw new IntegrityError(`Cannot use blob: it ${state} encrypted, unlike its snapshot`, {
        code: "crypt-mode",
      });
    }
    if (header.isEncrypted && crypt === undefined) {
      throw new AuthError("Cannot read blob: it is encrypted, and there is no key", {
        code: "missing-key",
      });
    }
    return header;
  }

  /** Where the compressed data of a blob is, decrypted if need be. */
  #decrypted(
    header: BlobHeader,
    stored: NativeBuffer,
    start: number,
    size: number,
    crypt: CryptConfig | undefined,
  ): [NativeBuffer, number] {
    if (!header.isEncrypted) return [stored, start];
    const scratch = this.#reserve(size);
    this.#open(header, crypt!, stored, start, size, scratch, 0);
    return [scratch, 0];
  }

  #open(
    { iv, tag }: BlobHeader,
    { key }: CryptConfig,
    source: NativeBuffer,
    sourceStart: number,
    size: number,
    target: NativeBuffer,
    targetStart: number,
  ): void {
    const message = { key, iv, tag };
    if (this.#codecs.aead.open(message, source, sourceStart, size, target, targetStart)) return;
    throw new IntegrityError("Cannot decrypt blob: the key is wrong, or the blob is damaged", {
      code: "tag",
    });
  }

  #checkPlain(
    { isEncrypted }: BlobHeader,
    plain: NativeBuffer,
    start: number,
    size: number,
    options: BlobDecodeOptions,
  ): void {
    if (options.size !== undefined && size !== options.size) {
      throw wrongLength(`${size}`, options.size);
    }
    if (options.digest === undefined) return;
    const digest = this.digest(plain, start, size, isEncrypted ? options.crypt : undefined);
    if (digest !== options.digest) {
      throw new IntegrityError(`Cannot use blob: its digest is ${digest}, not ${options.digest}`, {
        code: "digest",
      });
    }
  }

  /** A copy of the bytes with an address, where that matters. */
  #own(bytes: Uint8Array<ArrayBuffer>): NativeBuffer {
    const buffer = this.#codecs.allocate(bytes.length);
    buffer.bytes.set(bytes);
    return buffer;
  }

  /** The codec's own buffer, at least of this size. */
  #reserve(size: number): NativeBuffer {
    if (this.#scratch.bytes.length < size) {
      this.#scratch = this.#codecs.allocate(Math.max(size, 2 * this.#scratch.bytes.length));
    }
    return this.#scratch;
  }
}

function contentSizeMax(frame: NativeBuffer, start: number, size: number): number {
  const contentSize = zstdContentSizeMax(frame.bytes, start, size);
  if (contentSize !== undefined) return contentSize;
  throw new FormatError("Cannot read blob: its compressed data is not one whole frame");
}

function tooMuch(size: number, max: number, expected: number | undefined): Error {
  return expected === undefined ? tooLarge("read", size, max) : wrongLength("more", expected);
}

function wrongLength(seen: string, expected: number): IntegrityError {
  return new IntegrityError(`Cannot use blob: it has ${seen} bytes instead of ${expected}`, {
    code: "length",
  });
}

function tooLarge(action: string, size: number, max: number): LimitError {
  return new LimitError(`Cannot ${action} blob: ${size} bytes are more than ${max}`);
}
