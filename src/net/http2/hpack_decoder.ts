/**
 * Header blocks into header fields (RFC 7541).
 *
 * @module
 */

import { violation } from "./error_code.ts";
import { DynamicTable, fieldSize, type HeaderField, STATIC_TABLE } from "./hpack_table.ts";
import { decodeHuffman, latin1Text } from "./huffman.ts";

/** Integers above this are nothing but an attack. */
const INTEGER_MAX = 0xff_ffff;

/** What a block holds. */
export interface HeaderList {
  readonly fields: readonly HeaderField[];
  /** Whether there were more than the limit; the fields are those that fitted. */
  readonly isTooLarge: boolean;
}

/** The receiving end of a connection's header compression: blocks must come in their order. */
export class HpackDecoder {
  readonly #table: DynamicTable;
  readonly #listSizeMax: number;
  readonly #tableSizeLimit: number;

  /**
   * @param tableSizeLimit bytes that the peer may use for its table, as announced to it
   * @param listSizeMax bytes of a block's fields, each with 32 more
   */
  constructor(tableSizeLimit: number, listSizeMax: number) {
    this.#tableSizeLimit = tableSizeLimit;
    this.#table = new DynamicTable(tableSizeLimit);
    this.#listSizeMax = listSizeMax;
  }

  /**
   * Takes a whole block apart. Beyond the limit nothing is kept, but the table is kept in step.
   *
   * @throws {ProtocolError} `COMPRESSION_ERROR`; the connection is of no more use
   */
  decode(block: Uint8Array): HeaderList {
    const input = new BlockReader(block);
    const fields: HeaderField[] = [];
    let size = 0;
    let mayResize = true;
    while (!input.isAtEnd) {
      const first = input.peek();
      if ((first & 0xe0) === 0x20) {
        if (!mayResize) {
          throw violation("COMPRESSION_ERROR", "the header table is resized within a header block");
        }
        this.#resize(input.integer(5));
        continue;
      }
      mayResize = false;
      const field = this.#field(input, first);
      size += fieldSize(field);
      if (size <= this.#listSizeMax) fields.push(field);
    }
    return { fields, isTooLarge: size > this.#listSizeMax };
  }

  #field(input: BlockReader, first: number): HeaderField {
    if (first >= 0x80) return this.#indexed(input.integer(7));
    const isKept = (first & 0xc0) === 0x40;
    const index = input.integer(isKept ? 6 : 4);
    const name = index === 0 ? input.string() : this.#indexed(index)[0];
    const field: HeaderField = [name, input.string()];
    if (isKept) this.#table.add(field);
    return field;
  }

  #indexed(index: number): HeaderField {
    const field = index <= STATIC_TABLE.length
      ? STATIC_TABLE[index - 1]
      : this.#table.at(index - STATIC_TABLE.length - 1);
    if (field === undefined) {
      throw violation("COMPRESSION_ERROR", `there is no header field with the index ${index}`);
    }
    return field;
  }

  #resize(sizeMax: number): void {
    if (sizeMax > this.#tableSizeLimit) {
      throw violation(
        "COMPRESSION_ERROR",
        `a header table of ${sizeMax} bytes exceeds the limit of ${this.#tableSizeLimit}`,
      );
    }
    this.#table.resize(sizeMax);
  }
}

/** Integers and strings (section 5), one after the other. */
class BlockReader {
  readonly #block: Uint8Array;
  #at = 0;

  constructor(block: Uint8Array) {
    this.#block = block;
  }

  get isAtEnd(): boolean {
    return this.#at >= this.#block.length;
  }

  peek(): number {
    const byte = this.#block[this.#at];
    if (byte === undefined) throw violation("COMPRESSION_ERROR", "a header block is cut off");
    return byte;
  }

  integer(prefixBits: number): number {
    const prefixMax = 2 ** prefixBits - 1;
    let value = this.#next() & prefixMax;
    if (value < prefixMax) return value;
    for (let factor = 1;; factor *= 128) {
      const byte = this.#next();
      value += (byte & 0x7f) * factor;
      // The second condition is for zeros without end.
      if (value > INTEGER_MAX || factor > INTEGER_MAX) {
        throw violation("COMPRESSION_ERROR", "a number in a header block is too large");
      }
      if (byte < 0x80) return value;
    }
  }

  string(): string {
    const isHuffman = this.peek() >= 0x80;
    const size = this.integer(7);
    const bytes = this.#block.subarray(this.#at, this.#at + size);
    if (bytes.length < size) throw violation("COMPRESSION_ERROR", "a header string is cut off");
    this.#at += size;
    return isHuffman ? decodeHuffman(bytes) : latin1Text(bytes);
  }

  #next(): number {
    const byte = this.peek();
    this.#at++;
    return byte;
  }
}
