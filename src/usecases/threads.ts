/**
 * The threads of this program. From sources their code is a file; inside the single executable
 * there are no files, and the text that the build embeds is turned into a URL.
 *
 * @module
 */

import { makeFirstKey } from "#src/net/tls/first_key.ts";
import { NETWORK_ROLE, networkThreadFrom } from "#src/threads/network_thread.ts";
import { threadName, threadsFrom } from "#src/threads/thread.ts";

let embeddedText: string | undefined;
let embeddedUrl: string | undefined;

/** Says that threads run `text` (one bundled module) instead of the source file. */
export function embedWorkerSource(text: string): void {
  embeddedText = text;
}

/**
 * The module of all threads. In a thread of the single executable, which has no text, it is the
 * thread's own.
 */
export function workerUrl(): string {
  if (embeddedText === undefined) {
    const own = globalThis.location?.href;
    return own?.startsWith("blob:") ? own : new URL("./worker.ts", import.meta.url).href;
  }
  return embeddedUrl ??= URL.createObjectURL(
    new Blob([embeddedText], { type: "application/javascript" }),
  );
}

/** Starts a thread; what it does depends on its name (`worker.ts`). */
export function spawnThread(name: string): Worker {
  return threadsFrom(workerUrl())(name);
}

const networkThreads: Worker[] = [];
let networkThreadCount = 0;

/**
 * Starts a thread that may reach the network, for a process that gives it up then. What it is to do
 * it is told later.
 */
export function startNetworkThread(): void {
  const name = threadName(NETWORK_ROLE, networkThreadCount++);
  networkThreads.push(networkThreadFrom(workerUrl())(name));
  makeFirstKey();
}

/** A thread that {@link startNetworkThread} has started. @throws {Error} when there is none left */
export function spawnNetworkThread(): Worker {
  const thread = networkThreads.shift();
  if (thread !== undefined) return thread;
  throw new Error("There is no thread for the network: the command does not say that it uses one");
}
