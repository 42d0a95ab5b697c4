/** A thread for the network that has gone wrong: says what it can do. */

import { openWays, type ProbeTargets } from "#tests/support/hostile_probe.ts";

const scope = globalThis as unknown as {
  onmessage: (event: MessageEvent<ProbeTargets>) => void;
  postMessage(message: unknown): void;
};
scope.onmessage = async ({ data }) => scope.postMessage(await openWays(data));
