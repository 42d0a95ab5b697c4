/**
 * Watches waiting requests from the main isolate: starts the reserve when all threads wait, ends
 * requests whose timeout has passed, and reports both.
 *
 * It looks twice a second; more often while a worker has raised the alarm, which one does when it
 * takes the last permit. So an idle mount costs nothing, and a mount whose source hangs has a free
 * thread again within a fraction of a second.
 *
 * @module
 */

import { OPCODE_NAMES } from "#ffi/libfuse3/kernel.ts";
import { Errno } from "#ffi/os_error.ts";
import type { PendingRequest } from "./pending_queue.ts";
import { isRunnable, waitedFile } from "./waited_file.ts";
import { Duty, monotonicMs, ThreadState, type WaitTable } from "./wait_table.ts";

/** Interval of the checks after an alarm. */
const LOOK_MS = 50;
/**
 * A thread that has not moved for so long is taken for one that waits for a source that does not
 * answer.
 */
const STUCK_MS = 100;
/** After so long without such a moment the guard looks rarely again. */
const CALM_MS = 1000;
/** After so long the reserve is dismissed. */
const REST_MS = 10_000;
/** Short waits, as those for a disk that spins up, are not worth a line in the log. */
const TOLD_MS = 2000;

/** The table that a guard watches, and what it calls. */
export interface WaitGuardParts {
  readonly table: WaitTable;
  /** How long a request may wait before it fails with EIO; undefined: for ever. */
  readonly timeoutMs: number | undefined;
  /** Starts the reserve; is called once. */
  readonly startReserve: () => void;
  readonly listeners: WaitListeners;
}

/** Callbacks for requests that wait for long. */
export interface WaitListeners {
  /** All threads have waited for a while now. */
  readonly onWaiting?: ((report: WaitReport) => void) | undefined;
  /** At least one thread is free again. */
  readonly onWaitOver?: ((waitedMs: number) => void) | undefined;
  /** So many requests of a kind were ended, since their time was over. */
  readonly onTimeout?: ((operation: string, count: number) => void) | undefined;
}

/** What waits at a moment. Keys are part of the command line's interface. */
export interface WaitReport {
  /** Requests that wait for their source, or for a thread that may. */
  readonly requests: number;
  /** Of these, by kind. */
  readonly operations: Readonly<Record<string, number>>;
  /** How long the oldest of them has waited, in seconds. */
  readonly longest_s: number;
  /** Threads that wait for the source. */
  readonly threads: number;
  /** Files that these threads read, or directories in which they open one, where /proc shows it. */
  readonly files: readonly string[];
  /** Ended by an interrupt since the mount was made. */
  readonly interrupted: number;
  /** Ended with EIO since the mount was made, because their time was over. */
  readonly timed_out: number;
}

/** What was last seen of a thread. */
interface Sight {
  moment: number;
  /** Since when that has not changed. */
  momentMs: number;
  request: PendingRequest;
  /** Since when it is in that request. */
  requestMs: number;
}

/** Watches one mount. Times are those of `performance.now()`, but for those of requests. */
export class WaitGuard {
  readonly #parts: WaitGuardParts;
  readonly #sights: (Sight | undefined)[];
  #timer: ReturnType<typeof setInterval> | undefined;
  #isReserveStarted = false;
  /** Last time that all permits were with threads that did not move. */
  #blockedMs = -Infinity;
  /** Since when that is so without a break. */
  #blockedSinceMs: number | undefined;
  #isTold = false;
  #alarmMs = -Infinity;

  constructor(parts: WaitGuardParts) {
    this.#parts = parts;
    this.#sights = Array.from({ length: parts.table.threadCount });
  }

  /** Looks often for a while. */
  wake(): void {
    this.#alarmMs = performance.now();
    this.#timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  /** Looks no more. */
  stop(): void {
    clearInterval(this.#timer);
    this.#timer = undefined;
    this.#parts.table.duty = Duty.END;
  }

  /** Does what is to be done now. */
  look(): void {
    const { table } = this.#parts;
    if (table.duty === Duty.END) return;
    if (table.permitsTaken === 0 && table.queue.count === 0 && this.#blockedSinceMs === undefined) {
      this.#sights.fill(undefined);
      this.#relax(performance.now());
      return;
    }
    const now = performance.now();
    this.#observe(now);
    this.#judge(now);
    this.#endOld(now);
    this.#relax(now);
  }

  /** What waits now. */
  report(): WaitReport {
    const now = performance.now();
    this.#observe(now);
    const { table } = this.#parts;
    const operations: Record<string, number> = {};
    let longestMs = 0;
    let threads = 0;
    const files = new Set<string>();
    const count = (opcode: number, waitedMs: number) => {
      const name = OPCODE_NAMES[opcode] ?? `opcode_${opcode}`;
      operations[name] = (operations[name] ?? 0) + 1;
      longestMs = Math.max(longestMs, waitedMs);
    };
    for (const [index, sight] of this.#sights.entries()) {
      if (sight === undefined || !this.#isStuck(sight, now)) continue;
      threads++;
      const file = waitedFile(table.threadIdOf(index));
      if (file !== undefined) files.add(file);
      // A thread may still hang although its request has been answered.
      const isWanted = table.stateOf(index) !== ThreadState.ENDED && sight.request.opcode !== 0;
      if (isWanted) count(sight.request.opcode, waitedMs(sight, now));
    }
    const queued = table.queue.list();
    for (const { opcode, sinceMs } of queued) count(opcode, (monotonicMs() - sinceMs) | 0);
    const { interrupted, timedOut } = table.ended;
    return {
      requests: Object.values(operations).reduce((sum, each) => sum + each, 0),
      operations,
      longest_s: Math.round(longestMs / 100) / 10,
      threads,
      files: [...files],
      interrupted,
      timed_out: timedOut,
    };
  }

  #observe(now: number): void {
    const { table } = this.#parts;
    for (let index = 0; index < table.threadCount; index++) {
      if (table.stateOf(index) === ThreadState.IDLE) {
        this.#sights[index] = undefined;
        continue;
      }
      const moment = table.momentOf(index);
      const request = table.requestOf(index);
      const sight = this.#sights[index];
      if (sight === undefined || !isSame(sight.request, request)) {
        this.#sights[index] = { moment, momentMs: now, request, requestMs: now };
      } else if (sight.moment !== moment) {
        sight.moment = moment;
        sight.momentMs = now;
      }
    }
  }

  #isStuck(sight: Sight, now: number): boolean {
    return now - sight.momentMs >= STUCK_MS;
  }

  /** Starts or dismisses the reserve, and reports that all threads wait, or no longer do. */
  #judge(now: number): void {
    const { table, listeners } = this.#parts;
    if (this.#countHanging(now) < table.permitCount) {
      if (this.#isTold) listeners.onWaitOver?.(now - this.#blockedSinceMs!);
      this.#isTold = false;
      this.#blockedSinceMs = undefined;
      return;
    }
    this.#blockedMs = now;
    this.#blockedSinceMs ??= now - STUCK_MS;
    if (table.duty === Duty.REST) this.#callReserve();
    if (this.#isTold || now - this.#blockedSinceMs < TOLD_MS) return;
    this.#isTold = true;
    listeners.onWaiting?.(this.report());
  }

  /** Threads that are stuck, and not only for want of a processor. */
  #countHanging(now: number): number {
    let count = 0;
    for (const [index, sight] of this.#sights.entries()) {
      if (sight === undefined || !this.#isStuck(sight, now)) continue;
      if (!isRunnable(this.#parts.table.threadIdOf(index))) count++;
    }
    return count;
  }

  #callReserve(): void {
    const { table, startReserve } = this.#parts;
    table.duty = Duty.SERVE;
    if (this.#isReserveStarted) return;
    this.#isReserveStarted = true;
    startReserve();
  }

  #endOld(now: number): void {
    const { table, timeoutMs, listeners } = this.#parts;
    if (timeoutMs === undefined) return;
    const ended = new Map<number, number>();
    const count = ({ opcode }: PendingRequest) => ended.set(opcode, (ended.get(opcode) ?? 0) + 1);
    this.#sights.forEach((sight, index) => {
      if (sight === undefined || waitedMs(sight, now) < timeoutMs) return;
      const request = table.endWaiting(index, Errno.EIO, (each) => isSame(each, sight.request));
      if (request !== undefined) count(request);
    });
    const untilMs = (monotonicMs() - timeoutMs) | 0;
    for (let old = table.endOld(untilMs); old !== undefined; old = table.endOld(untilMs)) {
      count(old);
    }
    for (const [opcode, times] of ended) {
      listeners.onTimeout?.(OPCODE_NAMES[opcode] ?? `opcode ${opcode}`, times);
    }
  }

  /** Goes back to looking rarely, and lets the reserve rest, when there was nothing for a while. */
  #relax(now: number): void {
    const { table } = this.#parts;
    if (table.queue.count > 0) return;
    if (table.duty === Duty.SERVE && now - this.#blockedMs > REST_MS) table.duty = Duty.REST;
    if (now - Math.max(this.#blockedMs, this.#alarmMs) < CALM_MS) return;
    clearInterval(this.#timer);
    this.#timer = undefined;
    table.calm();
  }
}

/** Of the kernel's ids none is used twice. */
function isSame(one: PendingRequest, other: PendingRequest): boolean {
  return one.uniqueLow === other.uniqueLow && one.uniqueHigh === other.uniqueHigh;
}

function waitedMs({ request, requestMs }: Sight, now: number): number {
  return request.sinceMs === 0 ? now - requestMs : (monotonicMs() - request.sinceMs) | 0;
}
