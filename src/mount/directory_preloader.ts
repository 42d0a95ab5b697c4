/**
 * Makes the kernel learn of all entries of a directory at once.
 *
 * A program that asks for the attributes of many files by name makes one request for each, and
 * every request is two switches between processes. When the directory is listed instead, the kernel
 * gets the attributes of everything in it with one or two requests, and the program's other
 * questions never leave the kernel. The kernel asks for a list only when a process lists the
 * directory, so the serving process lists its own mount.
 *
 * A worker that uses its own mount depends on the others: one at a time may, and only while another
 * one serves.
 *
 * @module
 */

import { close, getdents, openAt, OpenFlag } from "#ffi/libc/calls.ts";
import { cloneMount, openDirectoryByNodeId } from "#ffi/libc/handles.ts";
import type { WaitGate } from "#src/io/wait_gate.ts";
import { WorkerState } from "./worker_protocol.ts";

const LISTING_SIZE = 64 << 10;

/** struct linux_dirent64: u64 ino, u64 off, u16 length of the record. */
const DIRENT_LENGTH = 16;

/** `.` and `..`. */
const DOT_COUNT = 2;

/** What a preloader shares with those of the other workers. */
export interface PreloaderParts {
  readonly mountPoint: string;
  /** Index of the worker. */
  readonly index: number;
  /** {@link WorkerState} of each worker, then a cell that is set while one preloads. */
  readonly states: Int32Array;
  /** Called around the listing: it waits for other workers, which may wait for the source. */
  readonly gate: WaitGate;
}

/**
 * Lists directories for one worker. Does nothing where that needs rights which the process does not
 * have.
 */
export class DirectoryPreloader {
  readonly #mountPoint: string;
  readonly #index: number;
  readonly #states: Int32Array;
  readonly #gate: WaitGate;
  readonly #listing = new Uint8Array(LISTING_SIZE);
  readonly #view = new DataView(this.#listing.buffer);
  #nodeId = 0;
  #entryCount = 0;
  #isOff = false;

  constructor({ mountPoint, index, states, gate }: PreloaderParts) {
    this.#mountPoint = mountPoint;
    this.#index = index;
    this.#states = states;
    this.#gate = gate;
  }

  /**
   * Asks for the directory with that node id and number of entries, to be listed when the present
   * request is answered, or a later one by when another worker serves.
   */
  request(nodeId: number, entryCount: number): void {
    this.#nodeId = nodeId;
    this.#entryCount = entryCount;
  }

  /** Lists the directory that was asked for last, if any. */
  run(): void {
    if (this.#nodeId === 0 || !this.#isOtherServing()) return;
    const nodeId = this.#nodeId;
    this.#nodeId = 0;
    if (this.#isOff || !this.#gate.tryAdmit()) return;
    const lock = this.#states.length - 1;
    if (Atomics.compareExchange(this.#states, lock, 0, 1) !== 0) return;
    try {
      this.#list(nodeId);
    } finally {
      Atomics.store(this.#states, lock, 0);
    }
  }

  #isOtherServing(): boolean {
    for (let index = 0; index < this.#states.length - 1; index++) {
      if (index === this.#index) continue;
      if (Atomics.load(this.#states, index) === WorkerState.SERVING) return true;
    }
    return false;
  }

  #list(nodeId: number): void {
    const mount = cloneMount(this.#mountPoint);
    if (mount < 0) {
      this.#isOff = true;
      return;
    }
    // Handles need a directory that is really open.
    const root = openAt(mount, ".", OpenFlag.RDONLY | OpenFlag.DIRECTORY);
    const directory = openDirectoryByNodeId(root, nodeId);
    if (directory >= 0) {
      this.#readEntries(directory);
      close(directory);
    }
    if (root >= 0) close(root);
    close(mount);
  }

  /** Reads all entries, but not the end behind them: it would be one more request. */
  #readEntries(directory: number): void {
    let missing = this.#entryCount + DOT_COUNT;
    while (missing > 0) {
      const size = getdents(directory, this.#listing);
      if (size <= 0) return;
      for (let position = 0; position < size; missing--) {
        position += this.#view.getUint16(position + DIRENT_LENGTH, true);
      }
    }
  }
}
