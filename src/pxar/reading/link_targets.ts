/**
 * Which files have several names. No table says so: all metadata is read.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import { FormatError, LimitError } from "#src/errors.ts";
import type { ByteSource } from "#src/io/byte_source.ts";
import { SourceCursor } from "./source_cursor.ts";
import { PxarDecoder } from "../decoder.ts";

/** Offsets of the files that hard links refer to; those behind damage are not found. */
export function readLinkTargets(
  source: ByteSource,
  allocate: (size: number) => NativeBuffer,
  name: string | undefined,
): Set<number> {
  const targets = new Set<number>();
  try {
    const cursor = new SourceCursor(source, allocate);
    const decoder = new PxarDecoder(cursor, { name });
    for (let event = decoder.next(); event !== undefined; event = decoder.next()) {
      if (event.type !== "entry" || event.entry.kind !== "hardlink") continue;
      targets.add(event.offset - Number(event.entry.distance));
    }
  } catch (error) {
    if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
  }
  return targets;
}
