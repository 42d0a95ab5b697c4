/**
 * From streams to kept chunks: cuts streams, and has the chunks handled by as many threads as help.
 *
 * The caller's thread reads and cuts. What it cuts goes into a queue, from which it and the workers
 * take chunks: workers whenever there are any, the caller when it is far enough ahead, has no
 * memory left, or waits for the end. So all threads are busy whatever takes longest, and nothing
 * depends on when workers have started. Short streams are handled by the caller alone.
 *
 * @module
 */

import type { ChunkDigest } from "#src/bytes/chunk_digest.ts";
import { LimitError, StateError, UsageError } from "#src/errors.ts";
import { ChunkArena, type Segment } from "./arena.ts";
import type { ChunkHandler, ChunkOutcome } from "./chunk_handler.ts";
import type { ChunkListener, ChunkStream, CutRule } from "./chunk_stream.ts";
import { checkAverageSize, CHUNK_SIZE_FACTOR, Chunker } from "./chunker.ts";
import type { Cutter } from "./cutter.ts";
import { FixedChunker } from "./fixed_chunker.ts";
import { ChunkQueue, JOB_COUNT_MAX } from "./chunk_queue.ts";
import { PayloadChunker } from "./payload_chunker.ts";
import { type PendingChunk, PipelineStream, segmentSize } from "./pipeline_stream.ts";
import { type ChunkWorkers, WorkerThreads } from "./worker_threads.ts";

/** What a pipeline needs. */
export interface ChunkPipelineOptions {
  /** Handles chunks in the caller's thread. */
  readonly handler: ChunkHandler;
  /** Left out: everything is done in the caller's thread. */
  readonly workers?: ChunkWorkers | undefined;
  /**
   * Memory for the plain bytes of chunks that are not handled yet. Default: 160 MiB. Three streams'
   * worth is taken at least.
   */
  readonly budgetBytes?: number | undefined;
}

/** What a pipeline has done. */
export interface ChunkStatistics {
  /** Chunks cut from all streams, repeated ones included, injected ones not. */
  readonly chunkCount: number;
  /** Bytes of these chunks before compression. */
  readonly plainBytes: number;
  /** Chunks that the handler had not kept before. */
  readonly newChunkCount: number;
  /** Bytes of the new chunks before compression. */
  readonly newPlainBytes: number;
  /** Stored size of the new chunks. */
  readonly newStoredBytes: number;
  /** Known chunks that streams took over without their bytes. */
  readonly injectedChunkCount: number;
  /** Plain length of the injected chunks. */
  readonly injectedBytes: number;
}

const BUDGET_SIZE = 160 << 20;
/**
 * Pieces that one stream needs: the one it is in, the one it goes on in, and one that is being
 * handled.
 */
const SEGMENT_COUNT_MIN = 3;

/** Before so many bytes have been cut, a thread costs more than it helps. */
const WORKERS_START_SIZE = 16 << 20;
/** Bytes of chunks that may wait for a thread before the caller handles some itself. */
const AHEAD_SIZE = 24 << 20;
/**
 * Chunks per thread that wait at least, so that no worker finds nothing while the caller handles
 * one.
 */
const AHEAD_COUNT = 2;

/** Remembered digests of new chunks: more than can be handled at a time. */
const RECENT_COUNT = 2 * JOB_COUNT_MAX;

/** Cuts any number of streams, also several at a time, into chunks and handles these. */
export class ChunkPipeline {
  readonly #handler: ChunkHandler;
  readonly #workers: ChunkWorkers | undefined;
  readonly #budgetBytes: number;
  readonly #streams = new Set<PipelineStream>();
  #arena: ChunkArena | undefined;
  #queue: ChunkQueue | undefined;
  #threads: WorkerThreads | undefined;
  /** Chunks in the queue by the low bits of their number, and the bytes submitted before each. */
  readonly #jobs: { chunk: PendingChunk; bytesBefore: number }[] = [];
  #submittedBytes = 0;
  /** Numbers of the next job, and of the first whose outcome was not fetched. */
  #submitted = 0;
  #fetched = 0;
  readonly #recent = new Set<ChunkDigest>();
  readonly #statistics = {
    chunkCount: 0,
    plainBytes: 0,
    newChunkCount: 0,
    newPlainBytes: 0,
    newStoredBytes: 0,
    injectedChunkCount: 0,
    injectedBytes: 0,
  };
  #failure: unknown;
  #isEnded = false;
  /** How long threads may take to end. */
  #endTimeoutMs: number | undefined;

  /**
   * Starts no thread before the first chunks. @throws {UsageError} when the budget is not a number
   * of bytes
   */
  constructor(options: ChunkPipelineOptions) {
    this.#handler = options.handler;
    this.#workers = options.workers;
    this.#budgetBytes = options.budgetBytes ?? BUDGET_SIZE;
    if (!(Number.isSafeInteger(this.#budgetBytes) && this.#budgetBytes >= 0)) {
      throw new UsageError(`Cannot cut chunks in ${this.#budgetBytes} bytes of memory`);
    }
  }

  /**
   * Starts a stream. Its listener is called for each chunk in order, during calls of any stream of
   * the pipeline.
   *
   * @param number is told to the handler with each chunk
   * @throws {UsageError} when a size of the rule is not valid
   * @throws {StateError} `busy` when the pipeline has ended
   */
  openStream(rule: CutRule, onChunk: ChunkListener, number = 0): ChunkStream {
    this.#check();
    const sizeMin = SEGMENT_COUNT_MIN * segmentSize(chunkSizeMax(rule));
    this.#arena ??= ChunkArena.take(Math.max(this.#budgetBytes, sizeMin));
    const stream = new PipelineStream(
      {
        arena: this.#arena,
        check: () => this.#check(),
        allocate: (size, current) => this.#allocate(size, current),
        leave: (segment) => this.#leave(segment),
        submit: (chunk, start) => this.#submit(chunk, start),
        advance: () => this.#advance(),
        count: (chunk, outcome) => this.#count(chunk, outcome),
        close: (stream) => this.#streams.delete(stream),
      },
      makeCutter(rule, this.#arena),
      onChunk,
      number,
    );
    this.#streams.add(stream);
    return stream;
  }

  /**
   * Ends the pipeline after its streams have been finished.
   *
   * @throws {StateError} `busy` when one has not, or the pipeline has ended
   */
  finish(): ChunkStatistics {
    this.#check();
    if (this.#streams.size > 0) {
      throw new StateError("busy", "Cannot finish a chunk pipeline: a stream of it is open");
    }
    this.abort();
    return { ...this.#statistics };
  }

  /**
   * Ends the pipeline at once, that is when every thread has done the chunk it has in hand. Does
   * nothing when it has ended.
   */
  abort(): void {
    if (this.#isEnded) return;
    this.#isEnded = true;
    if (this.#threads?.stop(this.#endTimeoutMs) !== false) this.#arena?.discard();
    this.#handler.close?.();
  }

  #check(): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#isEnded) throw new StateError("busy", "Cannot use a chunk pipeline that has ended");
  }

  #fail(error: unknown): never {
    this.#failure = error;
    this.abort();
    throw error;
  }

  #allocate(size: number, current: Segment | undefined): Segment {
    for (;;) {
      if (current?.busyCount === 0) return current;
      const segment = this.#arena!.allocate(size);
      if (segment !== undefined) return segment;
      if (this.#fetched === this.#submitted) {
        return this.#fail(
          new LimitError(
            `Cannot go on with ${this.#streams.size} streams at a time: ` +
              `${this.#arena!.buffer.bytes.length} bytes of memory are too little`,
          ),
        );
      }
      this.#advance();
    }
  }

  #leave(segment: Segment): void {
    segment.isLeft = true;
    if (segment.busyCount === 0) this.#arena!.free(segment);
  }

  #submit(chunk: PendingChunk, start: number): void {
    this.#submittedBytes += chunk.size;
    if (this.#queue === undefined && !this.#startWorkers()) {
      chunk.outcome = this.#attempt(() =>
        this.#handler.handle(this.#arena!.buffer, start, chunk.size, chunk.stream.number)
      );
      chunk.stream.deliver();
      return;
    }
    while (this.#queue!.isFull) this.#advance();
    chunk.segment!.busyCount++;
    const bytesBefore = this.#submittedBytes - chunk.size;
    this.#jobs[this.#submitted % JOB_COUNT_MAX] = { chunk, bytesBefore };
    this.#submitted++;
    this.#queue!.add(start, chunk.size, chunk.stream.number);
    this.#fetch();
    while (this.#isFarAhead()) this.#advance();
  }

  /** @returns whether there are workers now */
  #startWorkers(): boolean {
    const workers = this.#workers;
    const arena = this.#arena!;
    if (workers === undefined || workers.count < 1 || arena.buffer.address === 0n) return false;
    if (this.#submittedBytes < (workers.startBytes ?? WORKERS_START_SIZE)) return false;
    this.#endTimeoutMs = workers.timeoutMs;
    this.#queue = new ChunkQueue(undefined, workers.timeoutMs);
    this.#threads = new WorkerThreads(workers, this.#queue, arena);
    return true;
  }

  #isFarAhead(): boolean {
    const queue = this.#queue!;
    const unclaimed = queue.unclaimedCount;
    if (unclaimed <= AHEAD_COUNT * this.#workers!.count) return false;
    const oldest = this.#jobs[(this.#submitted - unclaimed) % JOB_COUNT_MAX]!;
    return this.#submittedBytes - oldest.bytesBefore > AHEAD_SIZE;
  }

  /** Handles the oldest waiting chunk, or waits until another thread has finished one. */
  #advance(): void {
    const queue = this.#queue!;
    const { answerCount } = queue;
    const number = queue.claim();
    if (number !== undefined) {
      const cell = queue.cellOf(number);
      this.#attempt(() => queue.handle(cell, this.#handler, this.#arena!.buffer));
      queue.complete(number);
      this.#fetch();
    } else if (!this.#fetch()) {
      this.#waitForAnswer(answerCount);
      this.#fetch();
    }
  }

  #waitForAnswer(answerCount: number): void {
    try {
      this.#queue!.waitForAnswer(answerCount);
    } catch (error) {
      // Whoever does not answer does not end either.
      this.#endTimeoutMs = 0;
      this.#fail(error);
    }
  }

  /** @throws what `action` throws, after the pipeline has ended */
  #attempt<Result>(action: () => Result): Result {
    try {
      return action();
    } catch (error) {
      return this.#fail(error);
    }
  }

  /** Fetches outcomes in the order of the queue. @returns whether there was one */
  #fetch(): boolean {
    const before = this.#fetched;
    while (this.#fetched < this.#submitted) {
      const outcome = this.#attempt(() => this.#queue!.fetch(this.#fetched));
      if (outcome === undefined) break;
      const { chunk } = this.#jobs[this.#fetched % JOB_COUNT_MAX]!;
      this.#fetched++;
      const segment = chunk.segment!;
      segment.busyCount--;
      if (segment.isLeft && segment.busyCount === 0) this.#arena!.free(segment);
      chunk.outcome = this.#distinct(outcome);
      chunk.stream.deliver();
    }
    return this.#fetched > before;
  }

  /**
   * Threads that handle the same bytes at the same time may each take them for new; only the first
   * one counts.
   */
  #distinct(outcome: ChunkOutcome): ChunkOutcome {
    if (!outcome.isNew) return outcome;
    if (this.#recent.has(outcome.digest)) return { ...outcome, isNew: false };
    this.#recent.add(outcome.digest);
    if (this.#recent.size > RECENT_COUNT) {
      for (const oldest of this.#recent) {
        this.#recent.delete(oldest);
        break;
      }
    }
    return outcome;
  }

  #count(chunk: PendingChunk, outcome: ChunkOutcome): void {
    const counts = this.#statistics;
    counts.chunkCount++;
    counts.plainBytes += chunk.size;
    if (chunk.segment === undefined) {
      counts.injectedChunkCount++;
      counts.injectedBytes += chunk.size;
    }
    if (outcome.isNew) {
      counts.newChunkCount++;
      counts.newPlainBytes += chunk.size;
      counts.newStoredBytes += outcome.storedSize;
    }
  }
}

/** @throws {UsageError} when a size of the rule is not valid */
function chunkSizeMax(rule: CutRule): number {
  if (rule.kind === "fixed") return new FixedChunker(rule.chunkSize).chunkSizeMax;
  checkAverageSize(rule.averageSize);
  return CHUNK_SIZE_FACTOR * rule.averageSize;
}

function makeCutter(rule: CutRule, arena: ChunkArena): Cutter {
  switch (rule.kind) {
    case "dynamic":
      return new Chunker(arena.scanner, rule.averageSize);
    case "payload":
      return new PayloadChunker(arena.scanner, rule.averageSize);
    case "fixed":
      return new FixedChunker(rule.chunkSize);
  }
}
