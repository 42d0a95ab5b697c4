/**
 * Verifies the chunks of indexes, each once however many indexes name it.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import { FormatError, IntegrityError, LimitError, StateError } from "#src/errors.ts";
import { Threads } from "#src/threads/thread.ts";
import { ChunkCheck } from "./chunk_check.ts";
import type { ChunkStorage, Storage } from "../storage/storage.ts";
import type { CryptConfig } from "../crypt/crypt_config.ts";
import { scanIndex } from "../reading/index_scan.ts";
import { startStoreThread } from "../thread_start.ts";
import { VERIFY_ROLE, type VerifyStart, type VerifyThreads } from "./threads.ts";
import { BATCH_SIZE_MAX, VerifyQueue } from "./verify_queue.ts";

/** Memory for what is known of chunks. */
const KNOWN_BUDGET = 192 << 20;
/** Below so many plain bytes in a batch, it takes longer to start threads than they save. */
const THREADS_START_SIZE = 64 << 20;

/**
 * How long a thread may take to end. One that hangs is left behind: it touches nothing that others
 * use.
 */
const END_TIMEOUT_MS = 1000;

/** What is known of a chunk, in the low bits; the rest is its plain size. */
const State = { PLAIN: 1, ENCRYPTED: 2, BAD: 3 } as const;
const STATE_FACTOR = 4;

/** How chunks are verified. */
export interface ChunkVerifierOptions {
  readonly storage: Storage;
  /** Whether corrupt chunks get another name. */
  readonly isRenaming: boolean;
  readonly crypts: readonly CryptConfig[];
  readonly threads: VerifyThreads | undefined;
  readonly throwIfStopped: () => void;
}

/** What is wrong with a chunk. */
export interface ChunkFault {
  readonly digest: ChunkDigest;
  readonly message: string;
  readonly error: unknown;
  /** The new name of a corrupt chunk. */
  readonly renamedTo: string | undefined;
}

/** The chunks of one index. */
export interface IndexChunks {
  /** Of the index among the files of the storage. */
  readonly name: string;
  readonly isEncrypted: boolean;
  /** Opens encrypted chunks. */
  readonly crypt: CryptConfig | undefined;
  /** Chunks of the index that are checked, of those seen so far that were not checked before. */
  readonly onProgress: (done: number, total: number) => void;
  readonly onFault: (fault: ChunkFault) => void;
}

/** Remembers what it has verified. */
export class ChunkVerifier {
  /** Chunks read, and their bytes; chunks found corrupt or missing. */
  readonly counts = { chunkCount: 0, storedBytes: 0, plainBytes: 0, badChunkCount: 0 };
  readonly #options: ChunkVerifierOptions;
  readonly #known = new DigestTable(KNOWN_BUDGET);
  readonly #chunks: ChunkStorage;
  readonly #check: ChunkCheck;
  #queue: VerifyQueue;
  #threads: Threads | undefined;
  /** A thread did not answer. */
  #isAlone = false;

  constructor(options: ChunkVerifierOptions) {
    this.#options = options;
    this.#queue = new VerifyQueue(undefined, options.threads?.timeoutMs);
    this.#chunks = options.storage.chunks;
    this.#check = new ChunkCheck(options.storage.chunks);
  }

  /**
   * Verifies the chunks of an index that is sound by itself. @throws what
   * {@link ChunkVerifierOptions.throwIfStopped} throws
   */
  verifyIndex(index: IndexChunks): void {
    let waiting: WaitingChunk[] = [];
    let done = 0;
    const flush = () => {
      this.#verifyBatch(index, waiting, (checked) => {
        index.onProgress(done + checked, done + waiting.length);
      });
      done += waiting.length;
      waiting = [];
    };
    const faultOf = (digest: ChunkDigest, problem: string) => {
      const message = `Chunk ${digest} ${problem}`;
      index.onFault({ digest, message, error: new IntegrityError(message), renamedTo: undefined });
    };
    const { files } = this.#options.storage;
    scanIndex(files.open(index.name), files.pathOf(index.name), (bytes, offset, size) => {
      const known = this.#known.get(bytes, offset);
      const digest = digestOf(bytes.subarray(offset, offset + DIGEST_SIZE));
      if (known === 0) {
        const state = index.isEncrypted ? State.ENCRYPTED : State.PLAIN;
        this.#known.set(bytes, offset, size * STATE_FACTOR + state);
        waiting.push({ digest, size, place: this.#chunks.placeOf(digest) });
        if (waiting.length === BATCH_SIZE_MAX) flush();
        return;
      }
      const state = known % STATE_FACTOR;
      if (state === State.BAD) faultOf(digest, "was found corrupt or missing before");
      else if ((state === State.ENCRYPTED) !== index.isEncrypted) {
        faultOf(digest, `${index.isEncrypted ? "is not" : "is"} encrypted, unlike its index`);
      } else if (Math.floor(known / STATE_FACTOR) !== size) {
        faultOf(digest, `is used with ${size} bytes, and with another size`);
      }
    });
    flush();
  }

  /** Ends the threads. */
  close(): void {
    this.#queue.stop();
    this.#threads?.end(this.#isAlone ? 0 : END_TIMEOUT_MS);
  }

  #verifyBatch(
    index: IndexChunks,
    waiting: WaitingChunk[],
    onProgress: (checked: number) => void,
  ): void {
    if (waiting.length === 0) return;
    const { crypts, throwIfStopped } = this.#options;
    // Disks with heads like it.
    waiting.sort((a, b) => a.place - b.place);
    const queue = this.#queue;
    const { nextNumber: first, answerCount } = queue;
    const { isEncrypted } = index;
    const key = index.crypt === undefined ? -1 : crypts.indexOf(index.crypt);
    for (const { digest, size } of waiting) {
      queue.add({ digest: Uint8Array.fromHex(digest), size, isEncrypted, key });
    }
    this.#startThreads(waiting);
    const check = (cell: number) => queue.check(cell, this.#check, crypts);
    for (let number = queue.claim(); number !== undefined; number = queue.claim()) {
      queue.run(number, check);
      throwIfStopped();
      onProgress((queue.answerCount - answerCount) | 0);
    }
    try {
      waiting.forEach((_, position) => queue.finish(first + position, check, throwIfStopped));
    } catch (error) {
      if (!(error instanceof StateError)) throw error;
      // A thread does not answer. What it has in hand is checked here, like all that follows.
      this.#isAlone = true;
    }
    onProgress(waiting.length);
    for (const [position, chunk] of waiting.entries()) {
      const number = first + position;
      if (queue.takeOut(number)) this.#count(chunk, queue.storedSizeOf(number));
      else this.#examine(index, chunk);
    }
    if (this.#isAlone) this.#leaveThreads();
  }

  #startThreads(waiting: readonly WaitingChunk[]): void {
    const { crypts, threads, storage } = this.#options;
    if (threads === undefined || this.#isAlone || this.#threads !== undefined) return;
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0);
    if (bytes < (threads.startBytes ?? THREADS_START_SIZE)) return;
    const { spawn = startStoreThread, count } = threads;
    const keys = crypts.map((crypt) => crypt.key);
    const { description } = storage;
    const start: VerifyStart = { queue: this.#queue.shared, storage: description, keys };
    this.#threads = new Threads(spawn, VERIFY_ROLE, count, start);
  }

  #leaveThreads(): void {
    this.close();
    this.#threads = undefined;
    this.#queue = new VerifyQueue();
  }

  #count({ size }: WaitingChunk, storedSize: number): void {
    this.counts.chunkCount++;
    this.counts.storedBytes += storedSize;
    this.counts.plainBytes += size;
  }

  /** Finds out what is wrong with a chunk. */
  #examine(index: IndexChunks, chunk: WaitingChunk): void {
    const { digest, size } = chunk;
    const { isEncrypted, crypt } = index;
    const place = this.#chunks.placeOf(digest);
    try {
      this.#count(chunk, this.#check.check({ digest, size, isEncrypted, crypt }));
    } catch (error) {
      const bytes = Uint8Array.fromHex(digest);
      if (error instanceof IntegrityError && error.code === "crypt-mode") {
        const state = isEncrypted ? State.PLAIN : State.ENCRYPTED;
        this.#known.set(bytes, 0, size * STATE_FACTOR + state);
        const message = error.message.replace("Chunk", `Chunk ${digest}`);
        index.onFault({ digest, message, error, renamedTo: undefined });
        return;
      }
      this.#known.set(bytes, 0, State.BAD);
      this.counts.badChunkCount++;
      const problem = error instanceof Error ? error.message : String(error);
      const message = problem.includes(digest) ? problem : `Chunk ${digest}: ${problem}`;
      const renamedTo = isCorrupt(error) && this.#options.isRenaming
        ? this.#chunks.quarantine?.setAside(digest, place)
        : undefined;
      index.onFault({ digest, message, error, renamedTo });
    }
  }
}

interface WaitingChunk {
  readonly digest: ChunkDigest;
  /** Plain bytes. */
  readonly size: number;
  /** See {@link ChunkStorage.placeOf}. */
  readonly place: number;
}

/** Whether the bytes are wrong, not the access to them. */
function isCorrupt(error: unknown): boolean {
  return error instanceof FormatError || error instanceof IntegrityError ||
    error instanceof LimitError;
}
