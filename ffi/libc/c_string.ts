/**
 * Names as C strings in reused buffers. The escape rule for bytes that are not UTF-8 is that of
 * `src/bytes/file_name.ts`: such a byte is the lone surrogate U+DC00 + byte.
 *
 * @module
 */

/** PATH_MAX of Linux, terminating NUL included. */
export const PATH_MAX = 4096;

/** For the first name of a call, so that no call allocates. */
export const SCRATCH_A: Uint8Array<ArrayBuffer> = new Uint8Array(PATH_MAX);
/** For the second name of a call. */
export const SCRATCH_B: Uint8Array<ArrayBuffer> = new Uint8Array(PATH_MAX);

const encoder = new TextEncoder();

/**
 * Writes `text` and a NUL into `scratch`.
 *
 * @returns `scratch`, or undefined when the text is too long or has a NUL inside
 */
export function encodeCString(
  text: string,
  scratch: Uint8Array<ArrayBuffer>,
): Uint8Array<ArrayBuffer> | undefined {
  let length: number;
  if (text.isWellFormed()) {
    const { read, written } = encoder.encodeInto(text, scratch);
    if (read < text.length || written >= scratch.length) return undefined;
    length = written;
  } else {
    length = encodeEscaped(text, scratch);
    if (length < 0) return undefined;
  }
  scratch[length] = 0;
  return text.includes("\0") ? undefined : scratch;
}

function encodeEscaped(text: string, scratch: Uint8Array): number {
  let length = 0;
  for (const character of text) {
    const code = character.codePointAt(0)!;
    const bytes = code >= 0xdc80 && code <= 0xdcff
      ? Uint8Array.of(code - 0xdc00)
      : encoder.encode(character);
    if (length + bytes.length >= scratch.length) return -1;
    scratch.set(bytes, length);
    length += bytes.length;
  }
  return length;
}
