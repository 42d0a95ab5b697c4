/**
 * Values in DER, the encoding of certificates (ITU-T X.690), as far as making one needs them.
 *
 * @module
 */

/** Any value: a tag, and what is inside. */
export function derValue(tag: number, ...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  const size = parts.reduce((sum, part) => sum + part.length, 0);
  const bytes = new Uint8Array([tag, ...derLength(size), ...new Uint8Array(size)]);
  let offset = bytes.length - size;
  for (const part of parts) {
    bytes.set(part, offset);
    offset += part.length;
  }
  return bytes;
}

function derLength(size: number): number[] {
  if (size < 0x80) return [size];
  const digits = [];
  for (let rest = size; rest > 0; rest >>>= 8) digits.unshift(rest & 0xff);
  return [0x80 | digits.length, ...digits];
}

/** Values in their order. */
export function derSequence(...parts: readonly Uint8Array[]): Uint8Array<ArrayBuffer> {
  return derValue(0x30, ...parts);
}

/** A number that is not negative, most significant byte first. */
export function derInteger(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  const start = bytes.findIndex((byte) => byte !== 0);
  const digits = start < 0 ? new Uint8Array(1) : bytes.subarray(start);
  return derValue(0x02, ...(digits[0]! >= 0x80 ? [new Uint8Array(1)] : []), digits);
}

/** Bytes as a string of bits without unused ones. */
export function derBits(bytes: Uint8Array): Uint8Array<ArrayBuffer> {
  return derValue(0x03, new Uint8Array(1), bytes);
}

/** An object identifier in dotted form. */
export function derObjectId(dotted: string): Uint8Array<ArrayBuffer> {
  const [first, second, ...rest] = dotted.split(".").map(Number);
  const bytes = [];
  for (const arc of [first! * 40 + second!, ...rest]) {
    const digits = [arc & 0x7f];
    for (let left = arc >>> 7; left > 0; left >>>= 7) digits.unshift(left & 0x7f | 0x80);
    bytes.push(...digits);
  }
  return derValue(0x06, new Uint8Array(bytes));
}

/** Text in UTF-8. */
export function derText(text: string): Uint8Array<ArrayBuffer> {
  return derValue(0x0c, new TextEncoder().encode(text));
}

/** A point in time, to the second. */
export function derTime(date: Date): Uint8Array<ArrayBuffer> {
  // The year has two digits until 2049, by the rules of certificates.
  const digits = date.toISOString().replace(/[-:T]|\..*/gu, "");
  const isShort = date.getUTCFullYear() < 2050;
  const text = `${isShort ? digits.slice(2) : digits}Z`;
  return derValue(isShort ? 0x17 : 0x18, new TextEncoder().encode(text));
}
