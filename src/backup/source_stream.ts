/**
 * Stored bytes read in order.
 *
 * @module
 */

import { IntegrityError, StateError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import type { SequentialSource } from "#src/io/streams.ts";

/**
 * Reads a source from its beginning. What is skipped is not loaded. Of bytes before damage none are
 * lost.
 */
export function streamOf(source: ByteSource): SequentialSource {
  let position = 0;
  return {
    read: (target) => {
      const count = readSound(source, target as Uint8Array<ArrayBuffer>, position);
      position += count;
      return count;
    },
    skip: (size) => {
      const count = Math.min(size, source.size - position);
      position += count;
      return count;
    },
    goTo: (offset) => {
      position = offset;
    },
  };
}

/**
 * Reads fewer bytes where the later ones are in a damaged or missing chunk. @throws what reading
 * the first byte throws
 */
function readSound(source: ByteSource, bytes: Uint8Array<ArrayBuffer>, position: number): number {
  let failure: unknown;
  for (let size = bytes.length;; size = Math.floor(size / 2)) {
    try {
      return source.readAt({ bytes, address: 0n }, 0, size, position);
    } catch (error) {
      // The first one tells what was found, and may have made a backup rename the chunk.
      failure ??= error;
      const isDamage = error instanceof IntegrityError || error instanceof StateError;
      if (!isDamage || size <= 1) throw failure;
    }
  }
}
