/**
 * What both kinds of sessions send: files of a snapshot, and their chunks.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import type { HttpAnswer } from "#src/net/http.ts";
import type { SnapshotId } from "../format/snapshot_path.ts";
import type { ServedStore } from "./served_store.ts";
import type { MemoryShare } from "./transfer_memory.ts";

/** Bytes of a file that are read at a time. */
const PART_SIZE = 1 << 20;

/** Type of bodies that are bytes. */
export const OCTETS = { "content-type": "application/octet-stream" };

/**
 * Answers with a file, of any size.
 *
 * @throws {Refusal} when there is none
 */
export async function answerFile(
  store: ServedStore,
  memory: MemoryShare,
  snapshot: SnapshotId,
  name: string,
  signal: AbortSignal,
): Promise<HttpAnswer> {
  const giveBack = await memory.takeFor(signal, PART_SIZE);
  try {
    const first = await store.call("readFilePart", snapshot, name, 0, PART_SIZE);
    const body = partsOf(store, snapshot, name, first, giveBack);
    return { status: 200, headers: OCTETS, body };
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function* partsOf(
  store: ServedStore,
  snapshot: SnapshotId,
  name: string,
  first: { readonly bytes: Uint8Array<ArrayBuffer>; readonly fileSize: number },
  giveBack: () => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    let { bytes } = first;
    let offset = 0;
    for (;;) {
      if (bytes.length > 0) yield bytes;
      offset += bytes.length;
      if (offset >= first.fileSize) return;
      const part = await store.call("readFilePart", snapshot, name, offset, PART_SIZE);
      if (part.fileSize !== first.fileSize || part.bytes.length === 0) {
        throw new StateError("source-changed", `Cannot send "${name}": it changes`);
      }
      ({ bytes } = part);
    }
  } finally {
    giveBack();
  }
}

/** One piece that gives back its memory when it is sent. */
export async function* sentOnce(
  bytes: Uint8Array<ArrayBuffer>,
  giveBack: () => void,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    yield bytes;
    freeMemory(bytes);
  } finally {
    giveBack();
  }
}
