/**
 * Stands for a FUSE worker that preloads a directory when it starts, until it is told that it has
 * listed all.
 */

import { type StartMessage, WorkerState } from "#src/mount/worker_protocol.ts";

const scope = self as unknown as DedicatedWorkerGlobalScope;

scope.onmessage = ({ data }: MessageEvent<StartMessage>) => {
  const states = new Int32Array(data.states);
  const lock = data.workerCount;
  Atomics.store(states, lock, 1);
  Atomics.store(states, data.index, WorkerState.SERVING);
  scope.postMessage({ type: "serving", index: data.index });
  const listed = new Int32Array(data.description as SharedArrayBuffer);
  Atomics.wait(listed, 0, 0);
  Atomics.store(states, lock, 0);
};

interface DedicatedWorkerGlobalScope {
  onmessage: (event: MessageEvent<StartMessage>) => void;
  postMessage(message: unknown): void;
}
