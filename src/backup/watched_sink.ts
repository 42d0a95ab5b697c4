/**
 * Sinks that copy long files piece by piece, so that it can be told how far they are.
 *
 * @module
 */

import type { Sink } from "#src/io/streams.ts";

/** Is called when the present file is stored up to some offset. */
export type OnContent = (position: number) => void;

const PIECE_SIZE = 32 << 20;

/** A sink that says how far its copies are. */
export function watchedSink(sink: Sink, onContent: OnContent): Sink {
  if (sink.copyFrom === undefined) return sink;
  return {
    write: (bytes) => sink.write(bytes),
    copyFrom: (fd, offset, size) => {
      const count = sink.copyFrom!(fd, offset, Math.min(size, PIECE_SIZE));
      onContent(offset + count);
      return count;
    },
  };
}
