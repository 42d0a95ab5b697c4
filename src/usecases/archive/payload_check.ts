/**
 * Notices payloads of a split archive that are not there, while the archive is only listed.
 *
 * @module
 */

import { FormatError, IntegrityError } from "#src/errors.ts";
import type { PxarDecoder } from "#src/pxar/decoder.ts";
import type { PxarEntry, PxarHardlink } from "#src/pxar/entry.ts";
import type { InputStreams } from "#src/sources/pxar/archive_files.ts";

/** Size of a PAYLOAD header. */
const HEADER_SIZE = 16;

/** Looks at the payload of each file as it is listed, not at its bytes. */
export class PayloadCheck {
  readonly #decoder: PxarDecoder;
  readonly #streams: InputStreams;
  readonly #byte = new Uint8Array(1);

  constructor(decoder: PxarDecoder, streams: InputStreams) {
    this.#decoder = decoder;
    this.#streams = streams;
  }

  /**
   * @returns what is wrong, such as `bad-payload-ref` or `truncated`, when the payload of `entry`
   *   is not there
   */
  check(entry: PxarEntry | PxarHardlink): Error | undefined {
    const { payload, payloadSize } = this.#streams;
    if (payload === undefined) return undefined;
    if (entry.kind !== "file" || entry.payload.kind !== "reference") return undefined;
    try {
      this.#decoder.readContent(this.#byte);
    } catch (error) {
      if (!(error instanceof FormatError || error instanceof IntegrityError)) throw error;
      // Whoever reads contents in order cannot go back; a listing need not.
      if (error.code !== "out-of-order-ref") return error;
    }
    const { offset, size } = entry.payload;
    if (payloadSize === undefined || offset + HEADER_SIZE + size <= payloadSize) return undefined;
    return new FormatError("Cannot read file: the payload stream ends", {
      code: "truncated",
      path: this.#streams.name,
      offset,
    });
  }
}
