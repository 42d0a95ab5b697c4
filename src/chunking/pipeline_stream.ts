/**
 * One stream of a pipeline: gathers bytes in the arena, cuts them, and puts what became of the
 * chunks in order again.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { Errno, pread } from "#ffi/libc/calls.ts";
import type { ChunkArena, Segment } from "./arena.ts";
import type { ChunkOutcome } from "./chunk_handler.ts";
import type { ChunkListener, ChunkStream, KnownChunk } from "./chunk_stream.ts";
import type { Cutter } from "./cutter.ts";
import { PayloadChunker } from "./payload_chunker.ts";

/** A chunk whose outcome is not known, or that has to wait for one before it. */
export interface PendingChunk {
  readonly stream: PipelineStream;
  readonly size: number;
  readonly endOffset: number;
  /** Undefined when the bytes are not here. */
  readonly segment: Segment | undefined;
  outcome: ChunkOutcome | undefined;
}

/** What a stream needs of its pipeline. */
export interface PipelineOfStream {
  readonly arena: ChunkArena;
  /** @throws the failure that has ended the pipeline, if one has */
  check(): void;
  /**
   * A piece of the arena, as soon as there is one: it may be the current one, if its chunks are
   * done by then.
   */
  allocate(size: number, current: Segment | undefined): Segment;
  /** Gives a piece back when its chunks are done. */
  leave(segment: Segment): void;
  /** Has a chunk handled: sets its outcome, now or later, and lets the stream deliver. */
  submit(chunk: PendingChunk, start: number): void;
  /** Makes progress with the chunks of all streams, or waits until another thread has. */
  advance(): void;
  /** Counts a chunk, before the listener is called for it. */
  count(chunk: PendingChunk, outcome: ChunkOutcome): void;
  /** The stream needs the pipeline no more. */
  close(stream: PipelineStream): void;
}

/** Room beyond two of the largest chunks: for what has been written but not looked at. */
const SPARE_SIZE = 1 << 20;
/** What one copy takes at most: callers want to show progress. */
const COPY_SIZE_MAX = 32 << 20;

/** See {@link ChunkStream}. */
export class PipelineStream implements ChunkStream {
  readonly #pipeline: PipelineOfStream;
  readonly #cutter: Cutter;
  readonly #onChunk: ChunkListener;
  readonly #segmentSize: number;
  #segment: Segment | undefined;
  /**
   * Addresses in the arena: the running chunk, where it ends so far, and at which end it is to be
   * looked at.
   */
  #start = 0;
  #end = 0;
  #lookAt = 0;
  /** Positions in the stream of `#start` and `#end`. */
  #cutOffset = 0;
  #position = 0;
  /** In stream order. */
  readonly #pending: PendingChunk[] = [];
  #isFinished = false;

  /** @param number is told to the handler with each chunk */
  constructor(
    pipeline: PipelineOfStream,
    cutter: Cutter,
    onChunk: ChunkListener,
    readonly number: number,
  ) {
    this.#pipeline = pipeline;
    this.#cutter = cutter;
    this.#onChunk = onChunk;
    this.#segmentSize = segmentSize(cutter.chunkSizeMax);
  }

  get position(): number {
    return this.#position;
  }

  write(bytes: Uint8Array): void {
    this.#check();
    for (let taken = 0; taken < bytes.length;) {
      const size = Math.min(bytes.length - taken, this.#room());
      const piece = size === bytes.length ? bytes : bytes.subarray(taken, taken + size);
      this.#pipeline.arena.buffer.bytes.set(piece, this.#end);
      taken += size;
      this.#take(size);
    }
  }

  copyFrom(fd: number, offset: number, size: number): number {
    this.#check();
    const { address } = this.#pipeline.arena.buffer;
    if (address === 0n) return 0;
    const wanted = Math.min(size, COPY_SIZE_MAX);
    let taken = 0;
    while (taken < wanted) {
      const asked = Math.min(wanted - taken, this.#room());
      const target = address + BigInt(this.#end);
      const count = pread(fd, target, BigInt(asked), BigInt(offset + taken));
      if (count === -Errno.EINTR) continue;
      // The one who asked reads the rest and sees the error, with the name of the file.
      if (count <= 0) break;
      taken += count;
      this.#take(count);
    }
    return taken;
  }

  suggestBoundary(position: number): void {
    if (this.#cutter instanceof PayloadChunker) this.#cutter.suggest(position);
  }

  inject(chunks: readonly KnownChunk[]): void {
    this.#check();
    this.#cutAll();
    const cutOffset = this.#cutOffset;
    for (const { digest, size } of chunks) {
      if (!(Number.isSafeInteger(size) && size > 0)) {
        throw new UsageError(`Cannot append chunk ${digest} of ${size} bytes`);
      }
      this.#position += size;
      this.#cutOffset = this.#position;
      this.#pending.push({
        stream: this,
        size,
        endOffset: this.#position,
        segment: undefined,
        outcome: { digest, storedSize: 0, isNew: false },
      });
    }
    this.#cutter.restart(this.#position - cutOffset);
    this.#gather();
    this.deliver();
  }

  finish(): void {
    this.#check();
    this.#cutAll();
    while (this.#pending.length > 0) this.#pipeline.advance();
    this.#isFinished = true;
    if (this.#segment !== undefined) this.#pipeline.leave(this.#segment);
    this.#segment = undefined;
    this.#pipeline.close(this);
  }

  /** Tells the listener of the chunks whose outcome is known, up to the first whose is not. */
  deliver(): void {
    let count = 0;
    try {
      for (;;) {
        const chunk = this.#pending[count];
        if (chunk?.outcome === undefined) break;
        count++;
        this.#pipeline.count(chunk, chunk.outcome);
        this.#onChunk({ ...chunk.outcome, size: chunk.size }, chunk.endOffset);
      }
    } finally {
      // All at once: there are thousands after an injection.
      if (count > 0) this.#pending.splice(0, count);
    }
  }

  #check(): void {
    this.#pipeline.check();
    if (this.#isFinished) throw new StateError("busy", "Cannot write to a finished chunk stream");
  }

  /** How many bytes can be put at `#end` before anything else has to be done. */
  #room(): number {
    if (this.#segment === undefined || this.#end === this.#segment.end) this.#moveOn();
    return Math.min(this.#segment!.end, this.#lookAt) - this.#end;
  }

  /**
   * Goes on in another piece of the arena, or in the same from its start, and takes the running
   * chunk along.
   */
  #moveOn(): void {
    const old = this.#segment;
    const segment = this.#pipeline.allocate(this.#segmentSize, old);
    this.#pipeline.arena.buffer.bytes.copyWithin(segment.start, this.#start, this.#end);
    const distance = segment.start - this.#start;
    this.#start += distance;
    this.#end += distance;
    this.#lookAt += distance;
    this.#segment = segment;
    if (old === undefined) this.#gather();
    else if (segment !== old) this.#pipeline.leave(old);
  }

  #take(size: number): void {
    this.#end += size;
    this.#position += size;
    if (this.#end !== this.#lookAt) return;
    this.#cut();
    this.#gather();
  }

  #gather(): void {
    this.#lookAt = this.#end + this.#cutter.gather(this.#end - this.#start);
  }

  /** Cuts what can be cut. */
  #cut(): void {
    for (;;) {
      const size = this.#cutter.cut(this.#start, this.#end - this.#start);
      if (size === 0) break;
      this.#submit(size);
    }
  }

  /** Cuts what can be cut, and then the rest. */
  #cutAll(): void {
    this.#cut();
    const rest = this.#end - this.#start;
    if (rest === 0) return;
    this.#cutter.restart(rest);
    this.#submit(rest);
  }

  #submit(size: number): void {
    const start = this.#start;
    this.#start += size;
    this.#cutOffset += size;
    const chunk: PendingChunk = {
      stream: this,
      size,
      endOffset: this.#cutOffset,
      segment: this.#segment,
      outcome: undefined,
    };
    this.#pending.push(chunk);
    this.#pipeline.submit(chunk, start);
  }
}

/** What a stream takes of the arena at a time. */
export function segmentSize(chunkSizeMax: number): number {
  return 2 * chunkSizeMax + SPARE_SIZE;
}
