/**
 * Numbers, texts and bytes one after the other, as payloads are made of them. Little-endian; what
 * has no fixed length is preceded by it.
 *
 * Pure: bytes in, values out.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { FormatError } from "#src/errors.ts";

const SIZE_AT_FIRST = 256;

/** Writes fields. */
export class FieldWriter {
  #bytes: Uint8Array<ArrayBuffer>;
  #view: DataView<ArrayBuffer>;
  #size = 0;

  constructor(sizeAtFirst = SIZE_AT_FIRST) {
    this.#bytes = new Uint8Array(sizeAtFirst);
    this.#view = new DataView(this.#bytes.buffer);
  }

  /** Bytes written so far. */
  get size(): number {
    return this.#size;
  }

  /** All that was written; writing more may change it. */
  get bytes(): Uint8Array<ArrayBuffer> {
    return this.#bytes.subarray(0, this.#size);
  }

  /** Takes back what was written behind `size`. */
  truncate(size: number): void {
    this.#size = size;
  }

  /** A number of one byte. */
  u8(value: number): void {
    const offset = this.#grow(1);
    this.#view.setUint8(offset, value);
  }

  /** A number of two bytes. */
  u16(value: number): void {
    const offset = this.#grow(2);
    this.#view.setUint16(offset, value, true);
  }

  /** A number of four bytes. */
  u32(value: number): void {
    const offset = this.#grow(4);
    this.#view.setUint32(offset, value, true);
  }

  /** A whole number below 2^53, in eight bytes. */
  u64(value: number): void {
    const offset = this.#grow(8);
    this.#view.setUint32(offset, value >>> 0, true);
    this.#view.setUint32(offset + 4, Math.floor(value / 2 ** 32), true);
  }

  /** A whole number between -2^53 and 2^53, in eight bytes. */
  i64(value: number): void {
    const offset = this.#grow(8);
    this.#view.setUint32(offset, value >>> 0, true);
    this.#view.setInt32(offset + 4, Math.floor(value / 2 ** 32), true);
  }

  /** Eight bytes of bits. */
  bits64(value: bigint): void {
    const offset = this.#grow(8);
    this.#view.setBigUint64(offset, value, true);
  }

  /** Bytes with their number. */
  blob(bytes: Uint8Array): void {
    this.u32(bytes.length);
    const offset = this.#grow(bytes.length);
    this.#bytes.set(bytes, offset);
  }

  /** A name or a path, whose bytes are any. */
  name(text: string): void {
    this.blob(encodeFileName(text));
  }

  /** Changes a number of four bytes that was written at `offset`. */
  setU32(offset: number, value: number): void {
    this.#view.setUint32(offset, value, true);
  }

  /** Makes room; bytes and view may be others then. @returns where it is */
  #grow(size: number): number {
    const offset = this.#size;
    this.#size += size;
    if (this.#size > this.#bytes.length) {
      const larger = new Uint8Array(Math.max(this.#size, 2 * this.#bytes.length));
      larger.set(this.#bytes.subarray(0, offset));
      this.#bytes = larger;
      this.#view = new DataView(larger.buffer);
    }
    return offset;
  }
}

/** Reads fields. All methods throw a {@link FormatError} where the bytes end too soon. */
export class FieldReader {
  readonly #bytes: Uint8Array<ArrayBuffer>;
  readonly #view: DataView<ArrayBuffer>;
  #offset = 0;

  constructor(bytes: Uint8Array<ArrayBuffer>) {
    this.#bytes = bytes;
    this.#view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  }

  /** Bytes that were not read yet. */
  get rest(): number {
    return this.#bytes.length - this.#offset;
  }

  /** See {@link FieldWriter.u8}. */
  u8(): number {
    return this.#view.getUint8(this.#take(1));
  }

  /** See {@link FieldWriter.u16}. */
  u16(): number {
    return this.#view.getUint16(this.#take(2), true);
  }

  /** See {@link FieldWriter.u32}. */
  u32(): number {
    return this.#view.getUint32(this.#take(4), true);
  }

  /** See {@link FieldWriter.u64}. */
  u64(): number {
    const offset = this.#take(8);
    return this.#safe(
      this.#view.getUint32(offset, true) + this.#view.getUint32(offset + 4, true) * 2 ** 32,
    );
  }

  /** See {@link FieldWriter.i64}. */
  i64(): number {
    const offset = this.#take(8);
    return this.#safe(
      this.#view.getUint32(offset, true) + this.#view.getInt32(offset + 4, true) * 2 ** 32,
    );
  }

  /** See {@link FieldWriter.bits64}. */
  bits64(): bigint {
    return this.#view.getBigUint64(this.#take(8), true);
  }

  /** Bytes with their number; a view. @param sizeMax of them */
  blob(sizeMax: number): Uint8Array<ArrayBuffer> {
    const size = this.u32();
    if (size > sizeMax) throw new FormatError(`${size} bytes where at most ${sizeMax} are allowed`);
    const offset = this.#take(size);
    return this.#bytes.subarray(offset, offset + size);
  }

  /** A name or a path. @param sizeMax in bytes */
  name(sizeMax: number): string {
    return decodeFileName(this.blob(sizeMax));
  }

  /** Passes over bytes. */
  skip(size: number): void {
    this.#take(size);
  }

  /** Refuses bytes behind the last field. */
  end(): void {
    if (this.rest > 0) throw new FormatError(`${this.rest} bytes behind the last field`);
  }

  #take(size: number): number {
    const offset = this.#offset;
    if (size > this.#bytes.length - offset) {
      throw new FormatError(`${size} bytes are missing at offset ${offset}`);
    }
    this.#offset += size;
    return offset;
  }

  #safe(value: number): number {
    if (Number.isSafeInteger(value)) return value;
    throw new FormatError(`A number of about ${value} is too large`);
  }
}
