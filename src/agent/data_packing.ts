/**
 * Contents packed with zstd on their way.
 *
 * @module
 */

import { hostCodecs } from "#src/codecs/codecs.ts";
import { FormatError } from "#src/errors.ts";
import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { Codecs } from "#src/codecs/decompressor.ts";
import { FieldReader } from "#src/bytes/fields.ts";
import { FLAG_ZSTD } from "./format/frame.ts";

/** Bytes that are packed together, and so of what is unpacked. */
const PIECE_SIZE_MAX = 256 << 10;
/** Of what is shorter, packing saves nothing that counts. */
const PIECE_SIZE_MIN = 512;
const SIZE_FIELD = 4;

/** Payload and flags of a frame. */
export interface PackedData {
  readonly payload: Uint8Array<ArrayBuffer>;
  readonly flags: number;
}

/** Packs pieces of contents. */
export class DataPacker {
  readonly #codecs: Codecs = hostCodecs();
  readonly #source: NativeBuffer = this.#codecs.allocate(PIECE_SIZE_MAX);
  readonly #target: NativeBuffer = this.#codecs.allocate(PIECE_SIZE_MAX);

  /** @returns undefined where a 16th of the bytes at least is not saved */
  pack(piece: Uint8Array): PackedData | undefined {
    if (piece.length < PIECE_SIZE_MIN || piece.length > PIECE_SIZE_MAX) return undefined;
    this.#source.bytes.set(piece);
    const sizeMax = piece.length - (piece.length >> 4) - SIZE_FIELD;
    const size = this.#codecs.compressZstd(
      this.#source,
      0,
      piece.length,
      this.#target,
      0,
      sizeMax,
    );
    if (size < 0) return undefined;
    const payload = new Uint8Array(SIZE_FIELD + size);
    new DataView(payload.buffer).setUint32(0, piece.length, true);
    payload.set(this.#target.bytes.subarray(0, size), SIZE_FIELD);
    return { payload, flags: FLAG_ZSTD };
  }
}

/** Unpacks what {@link DataPacker} has packed. */
export class DataUnpacker {
  readonly #codecs: Codecs = hostCodecs();
  readonly #source: NativeBuffer = this.#codecs.allocate(PIECE_SIZE_MAX);
  readonly #target: NativeBuffer = this.#codecs.allocate(PIECE_SIZE_MAX);

  /** The bytes, in memory of their own. @throws {FormatError} */
  unpack(payload: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer> {
    const size = unpackedSize(payload);
    const packed = payload.subarray(SIZE_FIELD);
    this.#source.bytes.set(packed);
    const count = this.#codecs.zstd(this.#source, 0, packed.length, this.#target, 0, size);
    if (count !== size) throw new FormatError("Packed contents cannot be unpacked");
    return this.#target.bytes.slice(0, size);
  }
}

/** Length of packed bytes when they are unpacked. @throws {FormatError} */
export function unpackedSize(payload: Uint8Array<ArrayBuffer>): number {
  const size = new FieldReader(payload).u32();
  if (size <= PIECE_SIZE_MAX && payload.length - SIZE_FIELD <= PIECE_SIZE_MAX) return size;
  throw new FormatError(`Packed contents are ${size} bytes, more than ${PIECE_SIZE_MAX}`);
}
