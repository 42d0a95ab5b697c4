/**
 * Verifies the chunks of indexes, each once however many indexes name it.
 *
 * @module
 */

import { type ChunkDigest, DIGEST_SIZE, digestOf } from "#src/bytes/chunk_digest.ts";
import { DigestTable } from "#src/bytes/digest_table.ts";
import { FormatError, IntegrityError, LimitError } from "#src/errors.ts";
import { ChunkCheck } from "./chunk_check.ts";
import type { ChunkStorage, Storage } from "../storage/storage.ts";
import type { CryptConfig } from "../crypt_config.ts";
import { scanIndex } from "../index_scan.ts";
import { BATCH_SIZE_MAX, VerifyBatch } from "./batch.ts";
import { checkEntry, type VerifyThreads, VerifyWorkers } from "./threads.ts";

/** Memory for what is known of chunks. */
const KNOWN_BUDGET = 192 << 20;
/** Below so many plain bytes in a batch, it takes longer to start threads than they save. */
const THREADS_START_SIZE = 64 << 20;

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
  readonly path: string;
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
  readonly #batch = new VerifyBatch(VerifyBatch.allocate());
  readonly #chunks: ChunkStorage;
  readonly #check: ChunkCheck;
  #workers: VerifyWorkers | undefined;

  constructor(options: ChunkVerifierOptions) {
    this.#options = options;
    this.#chunks = options.storage.chunks;
    this.#check = new ChunkCheck(options.storage.chunks);
  }

  /** Verifies the chunks of an index that is sound by itself. @throws what {@link ChunkVerifierOptions.throwIfStopped} throws */
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
    scanIndex(index.path, (bytes, offset, size) => {
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
    this.#batch.end();
    this.#workers?.stop();
  }

  #verifyBatch(
    index: IndexChunks,
    waiting: WaitingChunk[],
    onProgress: (checked: number) => void,
  ): void {
    if (waiting.length === 0) return;
    const { crypts, threads, throwIfStopped, storage } = this.#options;
    // Disks with heads like it.
    waiting.sort((a, b) => a.place - b.place);
    const batch = this.#batch;
    batch.close();
    waiting.forEach(({ digest, size }, position) => {
      batch.setEntry(position, Uint8Array.fromHex(digest), size);
    });
    const key = index.crypt === undefined ? -1 : crypts.indexOf(index.crypt);
    batch.open(waiting.length, index.isEncrypted, key);
    const bytes = waiting.reduce((sum, { size }) => sum + size, 0);
    if (threads !== undefined && bytes >= (threads.startBytes ?? THREADS_START_SIZE)) {
      this.#workers ??= new VerifyWorkers(threads, batch, storage.description, crypts);
    }
    for (let entry = batch.take(); entry !== undefined; entry = batch.take()) {
      batch.finish(entry, checkEntry(this.#check, entry, crypts));
      throwIfStopped();
      onProgress(batch.checkedCount);
    }
    batch.waitForResults();
    onProgress(waiting.length);
    for (const [position, chunk] of waiting.entries()) {
      const storedSize = batch.resultOf(position);
      if (storedSize < 0) this.#examine(index, chunk);
      else this.#count(chunk, storedSize);
    }
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
