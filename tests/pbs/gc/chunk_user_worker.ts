/**
 * A thread that uses chunks while another removes old ones.
 *
 * @module
 */

import { digestOf } from "#src/bytes/chunk_digest.ts";
import { allocateNativeBuffer } from "#ffi/libc/calls.ts";
import { insertChunk } from "#src/pbs/storage/chunk_insertion.ts";
import { DirectoryChunks } from "#src/pbs/storage/directory/directory_chunks.ts";

interface Start {
  readonly path: string;
  readonly count: number;
  /** 0: round to be done, 1: round done. */
  readonly rounds: SharedArrayBuffer;
}

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<Start>) => void;
  close(): void;
};

scope.onmessage = ({ data: { path, count, rounds } }) => {
  const owner = { uid: 0, gid: 0 };
  const store = DirectoryChunks.open(path, { owner, syncLevel: "none" });
  const cells = new Int32Array(rounds);
  const content = allocateNativeBuffer(100);
  for (let round = 1;; round++) {
    while (Atomics.load(cells, 0) < round) Atomics.wait(cells, 0, round - 1);
    if (Atomics.load(cells, 0) > 1_000_000) break;
    for (let number = 0; number < count; number++) {
      // Backwards: the other one comes the other way.
      const digest = digestOf(new Uint8Array(32).fill(count - 1 - number));
      insertChunk(store, digest, content, 0, 100);
    }
    Atomics.store(cells, 1, round);
    Atomics.notify(cells, 1);
  }
  store.close();
  scope.close();
};
