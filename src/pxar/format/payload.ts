/**
 * Content of PAYLOAD_REF: offset of the PAYLOAD header in the payload stream, and size of the file.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";
import { readUint64, writeInt64 } from "./integers.ts";
import { HEADER_SIZE } from "./item.ts";

/** Size of a PAYLOAD_REF's content. */
export const PAYLOAD_REF_SIZE = 16;

/** Where the bytes of a file are in the payload stream. */
export interface PayloadReference {
  readonly offset: number;
  readonly size: number;
}

/** Writes the content of a PAYLOAD_REF. */
export function encodePayloadReference(
  view: DataView,
  offset: number,
  reference: PayloadReference,
): void {
  writeInt64(view, offset, reference.offset);
  writeInt64(view, offset + 8, reference.size);
}

/**
 * Reads the content of a PAYLOAD_REF. @throws {FormatError} `bad-payload-ref` when no stream can be
 * that long
 */
export function decodePayloadReference(view: DataView, offset: number): PayloadReference {
  const reference = { offset: readUint64(view, offset), size: readUint64(view, offset + 8) };
  if (!Number.isSafeInteger(reference.offset + HEADER_SIZE + reference.size)) {
    throw new FormatError(
      `Cannot read payload reference: ${reference.size} bytes at ${reference.offset}`,
      { code: "bad-payload-ref" },
    );
  }
  return reference;
}
