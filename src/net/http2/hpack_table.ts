/**
 * The static table of HPACK (RFC 7541, appendix A), and the dynamic one (section 4).
 *
 * @module
 */

/** A header field. */
export type HeaderField = readonly [name: string, value: string];

/** What each entry costs besides its bytes (section 4.1). */
const ENTRY_OVERHEAD = 32;

/** Entries by index, which begins with 1. */
export const STATIC_TABLE: readonly HeaderField[] = [
  [":authority", ""],
  [":method", "GET"],
  [":method", "POST"],
  [":path", "/"],
  [":path", "/index.html"],
  [":scheme", "http"],
  [":scheme", "https"],
  [":status", "200"],
  [":status", "204"],
  [":status", "206"],
  [":status", "304"],
  [":status", "400"],
  [":status", "404"],
  [":status", "500"],
  ["accept-charset", ""],
  ["accept-encoding", "gzip, deflate"],
  ["accept-language", ""],
  ["accept-ranges", ""],
  ["accept", ""],
  ["access-control-allow-origin", ""],
  ["age", ""],
  ["allow", ""],
  ["authorization", ""],
  ["cache-control", ""],
  ["content-disposition", ""],
  ["content-encoding", ""],
  ["content-language", ""],
  ["content-length", ""],
  ["content-location", ""],
  ["content-range", ""],
  ["content-type", ""],
  ["cookie", ""],
  ["date", ""],
  ["etag", ""],
  ["expect", ""],
  ["expires", ""],
  ["from", ""],
  ["host", ""],
  ["if-match", ""],
  ["if-modified-since", ""],
  ["if-none-match", ""],
  ["if-range", ""],
  ["if-unmodified-since", ""],
  ["last-modified", ""],
  ["link", ""],
  ["location", ""],
  ["max-forwards", ""],
  ["proxy-authenticate", ""],
  ["proxy-authorization", ""],
  ["range", ""],
  ["referer", ""],
  ["refresh", ""],
  ["retry-after", ""],
  ["server", ""],
  ["set-cookie", ""],
  ["strict-transport-security", ""],
  ["transfer-encoding", ""],
  ["user-agent", ""],
  ["vary", ""],
  ["via", ""],
  ["www-authenticate", ""],
];

/** Size of a field as tables and limits count it, in bytes. */
export function fieldSize([name, value]: HeaderField): number {
  return name.length + value.length + ENTRY_OVERHEAD;
}

/** Fields that the peer has put aside to refer to them. The newest has index 0. */
export class DynamicTable {
  /** Oldest first. */
  readonly #fields: HeaderField[] = [];
  #size = 0;
  #sizeMax: number;

  /** @param sizeMax in bytes, as {@link fieldSize} counts */
  constructor(sizeMax: number) {
    this.#sizeMax = sizeMax;
  }

  /** Changes the largest size; what has no more room is dropped. */
  resize(sizeMax: number): void {
    this.#sizeMax = sizeMax;
    this.#evict(0);
  }

  /** Adds a field. One that is larger than the table empties it and is not kept. */
  add(field: HeaderField): void {
    const size = fieldSize(field);
    this.#evict(size);
    if (size > this.#sizeMax) return;
    this.#fields.push(field);
    this.#size += size;
  }

  /** The field at an index, or undefined. */
  at(index: number): HeaderField | undefined {
    return this.#fields[this.#fields.length - 1 - index];
  }

  #evict(roomBytes: number): void {
    let count = 0;
    while (this.#size + roomBytes > this.#sizeMax && count < this.#fields.length) {
      this.#size -= fieldSize(this.#fields[count++]!);
    }
    if (count > 0) this.#fields.splice(0, count);
  }
}
