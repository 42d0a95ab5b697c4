/**
 * Files of snapshots as answers, stored or decoded. The snapshot is locked while they are sent.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { HttpRequest } from "#src/net/http.ts";
import type { SnapshotId } from "../../format/snapshot_path.ts";
import type { ServedStore } from "../served_store.ts";
import { checkArchiveType, nextHandle } from "../session_calls.ts";
import { answerFile, OCTETS } from "../session_files.ts";
import { WholeAnswer } from "./routes.ts";
import type { ServerState } from "./server_state.ts";

const PART_SIZE = 1 << 20;

interface Download {
  readonly state: ServerState;
  readonly request: HttpRequest;
}

/** The bytes of a file as they are stored. @throws {Refusal} */
export async function answerStored(
  { state, request }: Download,
  store: ServedStore,
  snapshot: SnapshotId,
  name: string,
): Promise<WholeAnswer> {
  checkArchiveType(name);
  const held = await hold(
    store,
    (lane, handle) => store.callWith({ lane }, "openSnapshot", handle, snapshot),
  );
  try {
    const answer = await answerFile(store, state.memory, snapshot, name, request.signal);
    const body = until(answer.body as AsyncIterable<Uint8Array<ArrayBuffer>>, held.release);
    return new WholeAnswer({ ...answer, body });
  } catch (error) {
    await held.release();
    throw error;
  }
}

/** What a file says, of a snapshot that is not encrypted. @throws {Refusal | AuthError} */
export async function answerDecoded(
  { state, request }: Download,
  store: ServedStore,
  snapshot: SnapshotId,
  name: string,
): Promise<WholeAnswer> {
  checkArchiveType(name);
  const giveBack = await state.memory.takeFor(request.signal, PART_SIZE);
  try {
    const held = await hold(
      store,
      (lane, handle) => store.callWith({ lane }, "openDecoded", handle, snapshot, name),
    );
    const read = (offset: number) =>
      store.callWith({ lane: held.lane }, "readDecoded", held.handle, offset, PART_SIZE);
    const body = until(decodedParts(read), async () => {
      giveBack();
      await held.release();
    });
    return new WholeAnswer({ status: 200, headers: OCTETS, body });
  } catch (error) {
    giveBack();
    throw error;
  }
}

async function* decodedParts(
  read: (offset: number) => Promise<{
    readonly bytes: Uint8Array<ArrayBuffer>;
    readonly fileSize: number;
  }>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  for (let offset = 0;;) {
    const { bytes, fileSize } = await read(offset);
    if (bytes.length > 0) yield bytes;
    offset += bytes.length;
    if (offset >= fileSize) return;
    if (bytes.length === 0) {
      throw new StateError("source-changed", "Cannot send file: it ends early");
    }
  }
}

/** Does something in the thread of a lane that leaves something there. */
async function hold(
  store: ServedStore,
  open: (lane: ReturnType<ServedStore["takeLane"]>, handle: number) => Promise<unknown>,
) {
  const lane = store.takeLane();
  const handle = nextHandle();
  let isReleased = false;
  try {
    await open(lane, handle);
  } catch (error) {
    lane.release();
    throw error;
  }
  const release = async () => {
    if (isReleased) return;
    isReleased = true;
    try {
      await store.callWith({ lane }, "release", handle);
    } catch {
      // The thread is gone, and with it what it had.
    } finally {
      lane.release();
    }
  };
  return { lane, handle, release };
}

/** What is sent, and what is done at its end, however it comes. */
async function* until(
  parts: AsyncIterable<Uint8Array<ArrayBuffer>>,
  end: () => Promise<void>,
): AsyncGenerator<Uint8Array<ArrayBuffer>> {
  try {
    yield* parts;
  } finally {
    await end();
  }
}
