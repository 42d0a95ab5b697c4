/**
 * A thread that ends or hangs in the middle of a job, for tests of those who wait for it.
 *
 * @module
 */

import { threadsFrom } from "#src/threads/thread.ts";
import { sleep } from "#src/threads/waiting.ts";

/** What becomes of the thread. */
export const FATES = ["ends", "hangs"] as const;

const BEGIN_TIMEOUT_MS = 30_000;
const PAUSE_MS = 2;

/** Starts one thread. */
export class HangingThread {
  readonly #storePath: string;
  readonly #fate: (typeof FATES)[number];
  #worker: Worker | undefined;
  #hasJob = false;

  constructor(storePath: string, fate: (typeof FATES)[number]) {
    this.#storePath = storePath;
    this.#fate = fate;
  }

  /** What is given to whom it is to help. */
  readonly spawn = (name: string): Worker => {
    this.#worker = threadsFrom(() => new URL("./_hanging_worker.ts", import.meta.url))(name);
    return this.#worker;
  };

  /** Waits, when it has been started, until it has a job, and ends it if that is its fate. */
  waitForJob(): void {
    if (this.#worker === undefined || this.#hasJob) return;
    const isBegun = () => Deno.readDirSync(this.#storePath).some(({ name }) => name === "begun");
    for (let waitedMs = 0; !isBegun(); waitedMs += PAUSE_MS) {
      if (waitedMs > BEGIN_TIMEOUT_MS) throw new Error("The thread has taken no job");
      sleep(PAUSE_MS);
    }
    this.#hasJob = true;
    if (this.#fate === "ends") this.#worker.terminate();
  }
}
