/**
 * Files on their way to the threads that write them. Whoever puts them in writes, too, when the
 * queue is full and at the end.
 *
 * @module
 */

import type { Source } from "#src/sources/source.ts";
import { type SpawnThread, Threads } from "#src/threads/thread.ts";
import type { FileNode, MountableTree } from "#src/tree/node.ts";
import { createWithSize } from "./file_writer.ts";
import { NodeMetadata } from "./node_metadata.ts";
import { RestoreQueue, type WriteCounts } from "./restore_queue.ts";
import { QueueWriter } from "./restore_thread.ts";
import { RESTORE_ROLE, type RestoreThreadStart, type WritingOptions } from "./thread_start.ts";

/** Below so many bytes, starting threads takes longer than they save. */
const THREADS_START_SIZE = 16 << 20;

/** Larger files are written by several threads, so much by each at a time. */
const PIECE_SIZE = 8 << 20;
const SINGLE_SIZE_MAX = 2 * PIECE_SIZE;

/** Where files are written, and by whom. */
export interface FileJobsOptions {
  readonly source: Source;
  readonly tree: MountableTree;
  readonly writing: WritingOptions;
  /** With the caller's thread. */
  readonly threadCount: number;
  readonly spawn: SpawnThread;
  /** Hears of what is done, in order. */
  readonly onWritten: (counts: WriteCounts) => void;
}

/** A file that is to be written. */
export interface FileToWrite {
  readonly node: FileNode;
  readonly path: string;
  readonly isEmptied: boolean;
}

/** A file in several pieces. */
interface Pieces {
  readonly file: FileToWrite;
  left: number;
}

/** See the head of the module. */
export class FileJobs implements Disposable {
  readonly #options: FileJobsOptions;
  readonly #queue = new RestoreQueue();
  readonly #writer: QueueWriter;
  readonly #metadata: NodeMetadata;
  #threads: Threads | undefined;
  #oldest = 0;
  #addedBytes = 0;
  /** By the number of a job in the queue: the file that it is a piece of. */
  readonly #pieces = new Map<number, Pieces>();
  /** By the number of a job: how many files are complete when it, and all before, are done. */
  readonly #fileEnds = new Map<number, number>();
  #added = 0;
  #done = 0;

  constructor(options: FileJobsOptions) {
    this.#options = options;
    this.#writer = new QueueWriter(this.#queue, options.tree, options.writing);
    this.#metadata = new NodeMetadata(options.writing);
  }

  /** Files that are complete, together with all that were added before them. */
  get doneCount(): number {
    return this.#done;
  }

  /** Has a file written. @throws what writing this file, or one before, throws */
  add(file: FileToWrite): void {
    const { node, path, isEmptied } = file;
    const { size } = node.attributes;
    const isWhole = isEmptied || size <= SINGLE_SIZE_MAX || this.#isCheckedWhole(node);
    if (isWhole) return this.#submit(file, 0, isEmptied ? 0 : size, undefined, true);
    createWithSize(path, size, this.#options.writing.isIncremental);
    const pieces: Pieces = { file, left: Math.ceil(size / PIECE_SIZE) };
    for (let offset = 0; offset < size; offset += PIECE_SIZE) {
      const length = Math.min(PIECE_SIZE, size - offset);
      this.#submit(file, offset, length, pieces, offset + length === size);
    }
  }

  /** Waits until all files are written. @throws what writing them throws */
  finish(): void {
    while (this.#oldest !== this.#queue.nextNumber) this.#takeOldest();
  }

  /** Ends the threads, after the job that each has in hand. */
  [Symbol.dispose](): void {
    this.#queue.stop();
    this.#threads?.end();
  }

  /** Its checksum is one of all bytes in their order. */
  #isCheckedWhole({ storedChecksum }: FileNode): boolean {
    return storedChecksum !== undefined && this.#options.writing.isValidating;
  }

  #submit(
    file: FileToWrite,
    offset: number,
    length: number,
    pieces: Pieces | undefined,
    isEnd: boolean,
  ): void {
    while (this.#queue.isFull) this.#takeOldest();
    const number = this.#queue.nextNumber;
    if (pieces !== undefined) this.#pieces.set(number, pieces);
    if (isEnd) this.#fileEnds.set(number, ++this.#added);
    const { node, path, isEmptied } = file;
    const isPiece = pieces !== undefined;
    this.#queue.add({ nodeId: node.id, path, offset, length, isPiece, isEmptied });
    this.#addedBytes += length;
    this.#startThreads();
    while (this.#oldest !== this.#queue.nextNumber && this.#queue.isAnswered(this.#oldest)) {
      this.#takeOldest();
    }
  }

  #takeOldest(): void {
    const number = this.#oldest;
    this.#queue.finish(number, this.#writer.run);
    const counts = this.#queue.countsOf(number);
    if (!this.#queue.takeOut(number)) throw this.#queue.failure();
    this.#oldest = (number + 1) | 0;
    const pieces = this.#pieces.get(number);
    if (pieces !== undefined) {
      this.#pieces.delete(number);
      const { node, path } = pieces.file;
      if (--pieces.left === 0) this.#metadata.restorePath(path, node, counts);
    }
    const done = this.#fileEnds.get(number);
    if (done !== undefined) {
      this.#fileEnds.delete(number);
      this.#done = done;
    }
    this.#options.onWritten(counts);
  }

  #startThreads(): void {
    const { threadCount, spawn, source, writing } = this.#options;
    if (this.#threads !== undefined || threadCount < 2) return;
    if (this.#addedBytes < THREADS_START_SIZE) return;
    const start: RestoreThreadStart = {
      queue: this.#queue.shared,
      source: source.description,
      options: writing,
    };
    this.#threads = new Threads(spawn, RESTORE_ROLE, threadCount - 1, start);
  }
}
