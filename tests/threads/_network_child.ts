/**
 * Starts a thread for the network, gives the network up, and prints what can still be done: here,
 * in that thread, in one without permissions of its own.
 */

import { networkThreadFrom } from "#src/threads/network_thread.ts";
import { type SpawnThread, threadsFrom } from "#src/threads/thread.ts";
import { openWays } from "#tests/support/hostile_probe.ts";

const [port, file] = Deno.args;
const targets = { port: Number(port), file: file! };
const url = new URL("./support/network_worker.ts", import.meta.url).href;

async function waysOf(worker: Worker): Promise<string[]> {
  const { promise, resolve, reject } = Promise.withResolvers<string[]>();
  worker.onmessage = ({ data }) => resolve(data);
  worker.onerror = reject;
  worker.postMessage(targets);
  return await promise.finally(() => worker.terminate());
}

const start = (spawn: SpawnThread) => spawn("probe-0");
const network = start(networkThreadFrom(url));
const before = start(threadsFrom(url));
Deno.permissions.revokeSync({ name: "net" });
const ways = {
  network: await waysOf(network),
  here: await openWays(targets),
  before: await waysOf(before),
  after: await waysOf(start(threadsFrom(url))),
};
console.log(JSON.stringify(ways));
