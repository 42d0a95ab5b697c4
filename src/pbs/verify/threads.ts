/**
 * The threads that help a verification.
 *
 * A worker only tells sound chunks from others; what is wrong with the others the caller's thread finds out again by itself.
 *
 * @module
 */

import { digestOf } from "#src/bytes/chunk_digest.ts";
import { endNativeCodecs } from "#src/codecs/mod.ts";
import { ChunkCheck } from "./chunk_check.ts";
import { openStorage } from "../storage/open_storage.ts";
import type { StorageDescription } from "../storage/storage.ts";
import { CryptConfig } from "../crypt_config.ts";
import { type BatchEntry, VerifyBatch } from "./batch.ts";

/** Threads that verify have names that start with this: one module may be that of other workers too. */
export const VERIFY_WORKER_NAME = "verify-";

/** Sent to a worker once; it reads no further message. */
interface VerifyWorkerStart {
  readonly batch: SharedArrayBuffer;
  readonly storage: StorageDescription;
  /** Each 32 bytes, in the order of their numbers. */
  readonly keys: readonly Uint8Array[];
}

/** How a verification gets threads. */
export interface VerifyThreads {
  /** Threads besides the caller's. */
  readonly count: number;
  /** Starts a thread with this name, from a module that calls {@link serveVerifyWorker} then. */
  readonly spawn: (name: string) => Worker;
  /** They are started when an index has so many bytes that have to be verified. Default: 64 MiB. */
  readonly startBytes?: number;
}

/** The global scope of a worker, as far as it is used here. */
interface WorkerScope {
  readonly name: string;
  onmessage: ((event: MessageEvent) => void) | null;
  close(): void;
}

/** Whether this thread was started to verify, where a module is that of several kinds of workers. */
export function isVerifyWorker(): boolean {
  return (globalThis as unknown as WorkerScope).name?.startsWith(VERIFY_WORKER_NAME) ?? false;
}

/** Waits for the one message and checks chunks until there are no more. To be called once in a worker's module. */
export function serveVerifyWorker(): void {
  const scope = globalThis as unknown as WorkerScope;
  scope.onmessage = (event) => {
    const { batch, storage, keys } = event.data as VerifyWorkerStart;
    checkBatches(new VerifyBatch(batch), storage, keys);
    scope.close();
  };
}

function checkBatches(
  batch: VerifyBatch,
  description: StorageDescription,
  keys: readonly Uint8Array[],
): void {
  const storage = openStorage(description);
  const checker = new ChunkCheck(storage.chunks);
  const crypts = keys.map((key) => new CryptConfig(key));
  // A thread that is late looks at once whether there is something to do.
  let round: number | undefined = 0;
  do {
    for (let entry = batch.take(); entry !== undefined; entry = batch.take()) {
      batch.finish(entry, checkEntry(checker, entry, crypts));
    }
    round = batch.waitForRound(round);
  } while (round !== undefined);
  storage.close();
  endNativeCodecs();
}

/** Checks one chunk of a batch. @returns bytes of its file, -1 when something is wrong */
export function checkEntry(
  checker: ChunkCheck,
  { digest, size, isEncrypted, key }: BatchEntry,
  crypts: readonly CryptConfig[],
): number {
  try {
    return checker.check({ digest: digestOf(digest), size, isEncrypted, crypt: crypts[key] });
  } catch {
    return -1;
  }
}

/** Started threads. They may take a while to be there; nobody waits for it. */
export class VerifyWorkers {
  readonly #workers: readonly Worker[];

  constructor(
    threads: VerifyThreads,
    batch: VerifyBatch,
    storage: StorageDescription,
    crypts: readonly CryptConfig[],
  ) {
    this.#workers = Array.from({ length: threads.count }, (_, index) => {
      const worker = threads.spawn(`${VERIFY_WORKER_NAME}${index}`);
      // A thread that does not start does no harm: its share is done by the others. By default it would end the program.
      worker.onerror = (event) => event.preventDefault();
      worker.postMessage(
        {
          batch: batch.shared,
          storage,
          keys: crypts.map((crypt) => crypt.key),
        } satisfies VerifyWorkerStart,
      );
      return worker;
    });
  }

  /** Ends the threads, after the batch has been ended. */
  stop(): void {
    for (const worker of this.#workers) worker.terminate();
  }
}
