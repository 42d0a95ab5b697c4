/**
 * The payload stream of a split archive, read at random.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { isDamage } from "#src/io/sound_read.ts";
import { decodeContentSize, decodeItem, HEADER_SIZE, Item } from "../format/item.ts";

/** References whose header was checked are remembered up to this number. */
const CHECKED_COUNT_MAX = 4096;

/** Finds the contents that PAYLOAD_REF items speak of. */
export class PayloadSource {
  readonly #source: ByteSource;
  readonly #name: string | undefined;
  readonly #header: NativeBuffer;
  readonly #view: DataView;
  /** Size of the content by the offset of its header. */
  readonly #checked = new Map<number, number>();

  /**
   * Checks the start marker, unless it is damaged. @throws {FormatError} `truncated`,
   * `bad-payload-stream`
   */
  constructor(
    source: ByteSource,
    allocate: (size: number) => NativeBuffer,
    name: string | undefined,
  ) {
    this.#source = source;
    this.#name = name;
    this.#header = allocate(HEADER_SIZE);
    this.#view = new DataView(this.#header.bytes.buffer, this.#header.bytes.byteOffset);
    this.#checkStart();
  }

  /** A marker that is damaged says nothing of the contents, which have headers of their own. */
  #checkStart(): void {
    try {
      if (!this.#readHeader(0)) this.#fail("truncated", "Cannot read payload stream: too short", 0);
    } catch (error) {
      if (isDamage(error)) return;
      throw error;
    }
    if (!this.#isMarker(Item.PAYLOAD_START_MARKER)) {
      this.#fail("bad-payload-stream", "Cannot read payload stream: no start marker", 0);
    }
  }

  /** Whether the stream ends as it should. */
  hasTail(): boolean {
    return this.#readHeader(this.#source.size - HEADER_SIZE) &&
      this.#isMarker(Item.PAYLOAD_TAIL_MARKER);
  }

  /**
   * Checks that `offset` is that of the header of a content of `size` bytes, all there.
   *
   * @returns offset of the content
   * @throws {FormatError} `bad-payload-ref`, `truncated`
   */
  locate(offset: number, size: number): number {
    const start = offset + HEADER_SIZE;
    if (this.#checked.get(offset) === size) return start;
    if (start + size > this.#source.size) {
      const code = this.hasTail() ? "bad-payload-ref" : "truncated";
      this.#fail(code, `Cannot read file: payload of ${size} bytes ends behind the stream`, offset);
    }
    const isHeader = this.#readHeader(offset) && decodeItem(this.#view, 0) === Item.PAYLOAD &&
      decodeContentSize(this.#view, 0) === size;
    if (!isHeader) {
      this.#fail("bad-payload-ref", `Cannot read file: no payload of ${size} bytes`, offset);
    }
    if (this.#checked.size >= CHECKED_COUNT_MAX) this.#checked.clear();
    this.#checked.set(offset, size);
    return start;
  }

  /** Reads from the stream. */
  read(target: NativeBuffer, start: number, size: number, offset: number): number {
    return this.#source.readAt(target, start, size, offset);
  }

  #readHeader(offset: number): boolean {
    return offset >= 0 &&
      this.#source.readAt(this.#header, 0, HEADER_SIZE, offset) === HEADER_SIZE;
  }

  #isMarker(item: Item): boolean {
    return decodeItem(this.#view, 0) === item && decodeContentSize(this.#view, 0) === 0;
  }

  #fail(code: string, message: string, offset: number): never {
    throw new FormatError(message, {
      code,
      offset,
      path: this.#name,
    });
  }
}
