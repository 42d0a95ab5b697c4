/**
 * Files to be written, as jobs that threads share: which node, which bytes of it, where to.
 *
 * @module
 */

import { decodeFileName, encodeFileName } from "#src/bytes/file_name.ts";
import { LimitError } from "#src/errors.ts";
import { JobQueue } from "#src/threads/job_queue.ts";

/** Jobs in the queue. A power of two. */
const JOB_COUNT = 256;
const PATH_SIZE_MAX = 4096;

/** Cells of a job; numbers beyond 32 bits take two. */
const Job = {
  NODE: 0,
  OFFSET: 2,
  LENGTH: 4,
  FLAGS: 6,
  PATH_SIZE: 7,
  WRITTEN: 8,
  UNCHANGED: 10,
  WARNINGS: 12,
  PATH: 13,
} as const;
const JOB_CELLS = Job.PATH + PATH_SIZE_MAX / Int32Array.BYTES_PER_ELEMENT;

/** Bits of {@link Job.FLAGS}. */
const Flag = { PIECE: 1, EMPTIED: 2 } as const;

/** What one job writes. */
export interface WriteTask {
  /** Of the file in its tree. */
  readonly nodeId: number;
  /** Absolute path in the target. */
  readonly path: string;
  readonly offset: number;
  readonly length: number;
  /** One of several pieces of a file that is there with its size. */
  readonly isPiece: boolean;
  /** The file gets no content. */
  readonly isEmptied: boolean;
}

/** What a job has done. */
export interface WriteCounts {
  /** Bytes that came from the source. */
  written: number;
  /** Bytes that were there already. */
  unchanged: number;
  /** Metadata that the target's file system does not know. */
  warnings: number;
}

/** One thread's view of the queue. */
export class RestoreQueue extends JobQueue {
  readonly #view: DataView<SharedArrayBuffer>;

  /** @param shared that of another thread's view; left out, a new queue is made */
  constructor(shared?: SharedArrayBuffer) {
    super(shared ?? { count: JOB_COUNT, cells: JOB_CELLS });
    this.#view = new DataView(this.shared);
  }

  /** Puts a task in; the owner's thread only, and only if the queue is not full. */
  add(task: WriteTask): void {
    const cell = this.cellOf(this.nextNumber);
    const path = encodeFileName(task.path);
    if (path.length > PATH_SIZE_MAX) {
      throw new LimitError(`Cannot write "${task.path}": the path is longer than ${PATH_SIZE_MAX}`);
    }
    this.#set(cell + Job.NODE, task.nodeId);
    this.#set(cell + Job.OFFSET, task.offset);
    this.#set(cell + Job.LENGTH, task.length);
    this.cells[cell + Job.FLAGS] = (task.isPiece ? Flag.PIECE : 0) |
      (task.isEmptied ? Flag.EMPTIED : 0);
    this.cells[cell + Job.PATH_SIZE] = path.length;
    this.bytesOf(cell + Job.PATH, path.length).set(path);
    this.submit();
  }

  /** The task of a job in hand. */
  taskAt(cell: number): WriteTask {
    const flags = this.cells[cell + Job.FLAGS]!;
    return {
      nodeId: this.#get(cell + Job.NODE),
      offset: this.#get(cell + Job.OFFSET),
      length: this.#get(cell + Job.LENGTH),
      isPiece: (flags & Flag.PIECE) !== 0,
      isEmptied: (flags & Flag.EMPTIED) !== 0,
      path: decodeFileName(this.bytesOf(cell + Job.PATH, this.cells[cell + Job.PATH_SIZE]!)),
    };
  }

  /** Says what a job in hand has done. */
  setCounts(cell: number, counts: WriteCounts): void {
    this.#set(cell + Job.WRITTEN, counts.written);
    this.#set(cell + Job.UNCHANGED, counts.unchanged);
    this.cells[cell + Job.WARNINGS] = counts.warnings;
  }

  /** What a job that was answered has done. */
  countsOf(number: number): WriteCounts {
    const cell = this.cellOf(number);
    return {
      written: this.#get(cell + Job.WRITTEN),
      unchanged: this.#get(cell + Job.UNCHANGED),
      warnings: this.cells[cell + Job.WARNINGS]!,
    };
  }

  #set(cell: number, value: number): void {
    this.#view.setFloat64(cell * Int32Array.BYTES_PER_ELEMENT, value);
  }

  #get(cell: number): number {
    return this.#view.getFloat64(cell * Int32Array.BYTES_PER_ELEMENT);
  }
}
