/**
 * Stands for FUSE workers of which only the first one starts at once: the others wait until they
 * are let in. Each counts itself when it serves, and all end when they are told so.
 */

import { type StartMessage, WorkerState } from "#src/mount/worker_protocol.ts";
import { Cell } from "./late_cells.ts";

interface WorkerScope {
  onmessage: (event: MessageEvent<StartMessage>) => void;
  postMessage(message: unknown): void;
}

const scope = self as unknown as WorkerScope;

scope.onmessage = ({ data }) => {
  const states = new Int32Array(data.states);
  const cells = new Int32Array(data.description as SharedArrayBuffer);
  if (data.index > 0) Atomics.wait(cells, Cell.LET_IN, 0);
  Atomics.store(states, data.index, WorkerState.SERVING);
  Atomics.add(cells, Cell.SERVING_COUNT, 1);
  scope.postMessage({ type: "serving", index: data.index });
  Atomics.wait(cells, Cell.TOLD_TO_END, 0);
  Atomics.store(states, data.index, WorkerState.ENDED);
  scope.postMessage({ type: "ended", index: data.index });
};
