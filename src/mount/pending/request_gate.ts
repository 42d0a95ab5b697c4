/**
 * The gate of one thread that serves a mount: its part in who may wait. See `wait_table.ts`.
 *
 * @module
 */

import type { Request } from "../request.ts";
import { WaitEnded, type WaitGate, WaitRefused } from "#src/io/wait_gate.ts";
import { Duty, monotonicMs, type WaitTable } from "./wait_table.ts";

// Made once: who throws them needs no stack, and one is thrown for each request that is put off.
const REFUSED = new WaitRefused("No thread may wait now");
const ENDED = new WaitEnded("Nobody waits for the answer any more");

/** What a gate is made of. */
export interface RequestGateParts {
  readonly table: WaitTable;
  /** Number of the thread. */
  readonly index: number;
  /** Where this thread's own requests come from. */
  readonly deviceFd: number;
  readonly request: Request;
  /** Wakes the guard in the main isolate. */
  readonly alarm: () => void;
}

/**
 * Between {@link begin} and {@link finish} a request is served, and calls of the {@link WaitGate}
 * mean it; outside they mean nothing.
 */
export class RequestGate implements WaitGate {
  readonly #parts: RequestGateParts;
  readonly #table: WaitTable;
  /** A request, or task, is under way. */
  #isOpen = false;
  #hasPermit = false;
  /** The request under way is one of this thread's own tasks, which has no id. */
  #isTask = false;
  #depth = 0;
  /** Interrupts that the present request was looked for among. */
  #interruptsSeen = 0;
  /** Descriptor that the present request came from. */
  #deviceFd: number;
  /** When the present request came; 0: now. */
  #sinceMs = 0;

  constructor(parts: RequestGateParts) {
    this.#parts = parts;
    this.#table = parts.table;
    this.#deviceFd = parts.deviceFd;
  }

  /** By which descriptor the present request is to be answered. */
  get deviceFd(): number {
    return this.#deviceFd;
  }

  /** The request just read is served from now on. */
  begin(): void {
    this.#isOpen = true;
  }

  /** The present request is done. @returns whether it was answered by others meanwhile */
  finish(): boolean {
    this.#isOpen = false;
    if (!this.#hasPermit) return false;
    return this.#close();
  }

  /**
   * Puts the present request off until a thread may wait.
   *
   * @returns false when too many wait already
   */
  putOff(): boolean {
    const { request } = this.#parts;
    const { uniqueLow, uniqueHigh, opcode } = request;
    const deviceFd = this.#deviceFd;
    const pending = { uniqueLow, uniqueHigh, opcode, deviceFd, sinceMs: monotonicMs() };
    return this.#table.queue.put(request.buffer.bytes, request.size, pending);
  }

  /**
   * Takes a request that was put off, if there is one and this thread may wait. It is served from
   * now on.
   */
  takeOver(): boolean {
    const { table, request } = this.#parts;
    // When the mount has ended, the requesters of what is left are gone.
    if (table.queue.count === 0 || table.duty === Duty.END) return false;
    if (!this.#takePermit()) return false;
    const taken = table.queue.take(request.buffer.bytes);
    if (taken === undefined) {
      table.returnPermit();
      return false;
    }
    request.size = taken.size;
    this.#isOpen = true;
    this.#deviceFd = taken.deviceFd;
    this.#sinceMs = taken.sinceMs;
    this.#show();
    return true;
  }

  /** Does something of this thread's own that asks {@link tryAdmit} before it waits. */
  runTask(run: () => void): void {
    this.#isOpen = true;
    this.#isTask = true;
    try {
      run();
    } finally {
      this.finish();
      this.#isTask = false;
    }
  }

  tryAdmit(): boolean {
    if (!this.#isOpen || this.#hasPermit) return true;
    if (!this.#takePermit()) return false;
    this.#show();
    this.#table.hold(this.#parts.index);
    return true;
  }

  enter(): void {
    if (!this.#isOpen) return;
    if (this.#depth > 0) {
      this.#depth++;
      return;
    }
    if (!this.#hasPermit) {
      if (!this.#takePermit()) throw REFUSED;
      this.#show();
    }
    if (!this.#table.beginWait(this.#parts.index)) throw ENDED;
    const interrupts = this.#table.interruptCount;
    if (interrupts !== this.#interruptsSeen) {
      if (this.#isInterrupted()) {
        this.#table.endWait(this.#parts.index);
        throw ENDED;
      }
      this.#interruptsSeen = interrupts;
    }
    this.#depth = 1;
  }

  leave(): void {
    if (!this.#isOpen || --this.#depth > 0) return;
    if (!this.#table.endWait(this.#parts.index)) throw ENDED;
  }

  #isInterrupted(): boolean {
    if (this.#isTask) return false;
    const { uniqueLow, uniqueHigh } = this.#parts.request;
    return this.#table.wasInterrupted(uniqueLow, uniqueHigh);
  }

  #takePermit(): boolean {
    const taken = this.#table.takePermit();
    if (taken >= this.#table.permitCount && this.#table.becomeAlarm()) this.#parts.alarm();
    return taken > 0;
  }

  /** Has a permit from now on, and says what for. */
  #show(): void {
    this.#hasPermit = true;
    this.#depth = 0;
    this.#interruptsSeen = 0;
    const { index, request } = this.#parts;
    if (this.#isTask) {
      this.#table.show(index, 0, 0, -1, 0, 0);
      return;
    }
    const { uniqueLow, uniqueHigh, opcode } = request;
    this.#table.show(index, uniqueLow, uniqueHigh, this.#deviceFd, opcode, this.#sinceMs);
  }

  #close(): boolean {
    this.#hasPermit = false;
    this.#deviceFd = this.#parts.deviceFd;
    this.#sinceMs = 0;
    const isEnded = this.#table.clear(this.#parts.index);
    this.#table.returnPermit();
    return isEnded;
  }
}
