/**
 * Waiting for a source that may not answer for a long time: another mount, a hanging disk, a
 * network.
 *
 * Whoever reads a source tells a gate before and after each call that may wait. In a thread that
 * serves a mount the gate sees to it that not all threads wait at once, and that a request ends
 * which nobody wants any more; elsewhere there is none. Both make themselves felt as exceptions, so
 * whatever a request has done before it reaches a source must be such that the request can be done
 * again from its beginning.
 *
 * @module
 */

import type { NativeBuffer } from "#src/bytes/native_buffer.ts";
import type { ByteSource, OpenSource } from "./byte_source.ts";

/** Is told of everything that may wait. Calls may be nested; the outermost pair counts. */
export interface WaitGate {
  /**
   * Takes the right to wait until the present request, or task, ends. @returns false when no thread
   * may wait now
   */
  tryAdmit(): boolean;
  /**
   * Before a call that may wait.
   *
   * @throws {WaitRefused} when no thread may wait now: the request is to be done again later
   * @throws {WaitEnded} when nobody waits for the answer any more
   */
  enter(): void;
  /**
   * After it. @throws {WaitEnded} when nobody waits for the answer any more: nothing may be changed
   * for it
   */
  leave(): void;
}

/** For threads that may wait as they like. */
export const NO_WAIT_GATE: WaitGate = { tryAdmit: () => true, enter() {}, leave() {} };

/**
 * A request would have to wait, and must not in this thread. Says nothing of the source; never
 * shown to anybody.
 */
export class WaitRefused extends Error {
  override readonly name = "WaitRefused";
}

/**
 * A request was given up while it waited: interrupted, or over its time. Never shown to anybody.
 */
export class WaitEnded extends Error {
  override readonly name = "WaitEnded";
}

/** Whether an exception is about waiting: no verdict on what was to be read. */
export function isAboutWaiting(error: unknown): boolean {
  return error instanceof WaitRefused || error instanceof WaitEnded;
}

/** Runs something that may wait. */
export function waitAt<Result>(gate: WaitGate, run: () => Result): Result {
  gate.enter();
  try {
    return run();
  } finally {
    gate.leave();
  }
}

/** Opens files as `open` does, and tells `gate` when they are opened and read. */
export function openGated(open: OpenSource, gate: WaitGate): OpenSource {
  return (path) => {
    gate.enter();
    let source: ByteSource | undefined;
    try {
      source = open(path);
    } finally {
      leaveOrClose(gate, source);
    }
    return new GatedSource(source, gate);
  };
}

function leaveOrClose(gate: WaitGate, source: ByteSource | undefined): void {
  try {
    gate.leave();
  } catch (error) {
    source?.close();
    throw error;
  }
}

class GatedSource implements ByteSource {
  readonly size: number;
  /** As the source's: to have something read may wait as reading does. */
  readonly willRead?: (offset: number, size: number) => void;
  readonly #source: ByteSource;
  readonly #gate: WaitGate;

  constructor(source: ByteSource, gate: WaitGate) {
    this.size = source.size;
    this.#source = source;
    this.#gate = gate;
    if (source.willRead !== undefined) {
      this.willRead = (offset, size) => waitAt(gate, () => source.willRead!(offset, size));
    }
  }

  readAt(target: NativeBuffer, start: number, size: number, offset: number): number {
    this.#gate.enter();
    try {
      return this.#source.readAt(target, start, size, offset);
    } finally {
      this.#gate.leave();
    }
  }

  close(): void {
    this.#source.close();
  }
}
