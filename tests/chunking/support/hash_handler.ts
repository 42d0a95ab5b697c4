/**
 * Handlers of chunks for tests: they hash, and do what a test wants besides.
 *
 * @module
 */

import { digestOf } from "#src/bytes/chunk_digest.ts";
import type { ChunkHandler } from "#src/chunking/chunk_handler.ts";
import { sha256BuiltIn, sha256ByLibrary } from "#src/codecs/hashing.ts";
import { IntegrityError, OsError, StateError } from "#src/errors.ts";

/** What a thread's handler does. */
export interface HashHandlerDescription {
  /** Digits that digests of chunks begin with which fail, and how. */
  readonly fails?: { readonly prefix: string; readonly how: "integrity" | "os" | "state" | "text" };
  /** Milliseconds that a chunk takes. */
  readonly delayMs?: number;
  /**
   * Counts in shared memory: 0: chunks, 1: handlers open, 2: handlers ever opened, 3: chunks in
   * hand, 4: the most of these.
   */
  readonly counts?: SharedArrayBuffer;
}

/** Cells of `counts`. */
export const Count = { CHUNKS: 0, OPEN: 1, OPENED: 2, IN_HAND: 3, IN_HAND_MAX: 4 } as const;

/** Memory for `counts`. */
export function makeCounts(): Int32Array<SharedArrayBuffer> {
  return new Int32Array(new SharedArrayBuffer(8 * Int32Array.BYTES_PER_ELEMENT));
}

/** Makes a handler. Every chunk is new to it. */
export function openHashHandler(description: HashHandlerDescription = {}): ChunkHandler {
  const hash = sha256ByLibrary() ?? sha256BuiltIn;
  const { fails, delayMs = 0 } = description;
  const counts = new Int32Array(description.counts ?? makeCounts().buffer);
  Atomics.add(counts, Count.OPEN, 1);
  Atomics.add(counts, Count.OPENED, 1);
  return {
    handle(plain, start, size) {
      Atomics.add(counts, Count.CHUNKS, 1);
      const inHand = Atomics.add(counts, Count.IN_HAND, 1) + 1;
      if (inHand > Atomics.load(counts, Count.IN_HAND_MAX)) {
        Atomics.store(counts, Count.IN_HAND_MAX, inHand);
      }
      if (delayMs > 0) Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, delayMs);
      const used = plain.address === 0n ? sha256BuiltIn : hash;
      const digest = digestOf(used(plain, start, size));
      if (fails !== undefined && digest.startsWith(fails.prefix)) throw failure(fails.how);
      Atomics.sub(counts, Count.IN_HAND, 1);
      return { digest, storedSize: size + 12, isNew: true };
    },
    close: () => Atomics.sub(counts, Count.OPEN, 1),
  };
}

function failure(how: "integrity" | "os" | "state" | "text"): unknown {
  switch (how) {
    case "integrity":
      return new IntegrityError("Bad chunk", { path: "/x", offset: 7, hint: "Look" });
    case "os":
      return new OsError(28, "write", "/store/.chunks/0000");
    case "state":
      return new StateError("locked", "Busy");
    case "text":
      return "just text";
  }
}
