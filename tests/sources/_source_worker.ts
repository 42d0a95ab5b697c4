/**
 * A thread that opens what another one has described, and says what it sees.
 *
 * @module
 */

import { attachSource, NO_WAIT_GATE, type SourceDescription } from "#src/sources/mod.ts";
import { manifestOf } from "./_manifest.ts";

interface WorkerScope {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: unknown): void;
}

const scope = globalThis as unknown as WorkerScope;
scope.onmessage = (event) => {
  const description = event.data as SourceDescription;
  const tree = attachSource(description, {
    index: 1,
    gate: NO_WAIT_GATE,
    spawn: undefined,
  });
  const manifest = manifestOf(tree);
  tree.close();
  scope.postMessage(manifest);
};
