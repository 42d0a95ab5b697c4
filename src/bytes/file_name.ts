/**
 * File names: bytes to the kernel and in archives, strings in here.
 *
 * Valid UTF-8 becomes the ordinary string. A byte that is not part of valid UTF-8 becomes the lone
 * surrogate U+DC80…U+DCFF, so that every byte sequence has exactly one string and comes back
 * unchanged.
 *
 * @module
 */

const strictDecoder = new TextDecoder("utf-8", { fatal: true, ignoreBOM: true });
const encoder = new TextEncoder();

/** Decodes the bytes of a file name; never fails. */
export function decodeFileName(bytes: Uint8Array): string {
  try {
    return strictDecoder.decode(bytes);
  } catch {
    return decodeWithEscapes(bytes);
  }
}

/** Encodes a file name made by {@link decodeFileName}, or any other string, to its bytes. */
export function encodeFileName(name: string): Uint8Array {
  if (name.isWellFormed()) return encoder.encode(name);
  const parts: number[] = [];
  for (const character of name) {
    const code = character.codePointAt(0)!;
    if (code >= 0xdc80 && code <= 0xdcff) parts.push(code - 0xdc00);
    else for (const byte of encoder.encode(character)) parts.push(byte);
  }
  return Uint8Array.from(parts);
}

/**
 * Encodes `name` and a terminating NUL into `target`.
 *
 * @returns the length without the NUL, or -1 when it does not fit
 */
export function encodeFileNameInto(name: string, target: Uint8Array): number {
  if (!name.isWellFormed()) {
    const bytes = encodeFileName(name);
    if (bytes.length >= target.length) return -1;
    target.set(bytes);
    target[bytes.length] = 0;
    return bytes.length;
  }
  const { read, written } = encoder.encodeInto(name, target);
  if (read < name.length || written >= target.length) return -1;
  target[written] = 0;
  return written;
}

function decodeWithEscapes(bytes: Uint8Array): string {
  let result = "";
  let start = 0;
  while (start < bytes.length) {
    const length = sequenceLength(bytes, start);
    if (length > 0) {
      result += strictDecoder.decode(bytes.subarray(start, start + length));
      start += length;
    } else {
      result += String.fromCharCode(0xdc00 + bytes[start]!);
      start += 1;
    }
  }
  return result;
}

/** Length of the valid UTF-8 sequence at `start`, or 0 when there is none. */
function sequenceLength(bytes: Uint8Array, start: number): number {
  const first = bytes[start]!;
  if (first < 0x80) return 1;
  const length = first >= 0xf0 ? 4 : first >= 0xe0 ? 3 : first >= 0xc2 ? 2 : 0;
  if (length === 0 || start + length > bytes.length) return 0;
  try {
    strictDecoder.decode(bytes.subarray(start, start + length));
    return length;
  } catch {
    return 0;
  }
}
