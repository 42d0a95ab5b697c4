/**
 * A worker's loop: read a request, answer it, until the mount is gone.
 *
 * @module
 */

import { read, write } from "#ffi/libc/calls.ts";
import { openFileLimit } from "#ffi/libc/process.ts";
import { describeErrno, Errno, OsError } from "#ffi/os_error.ts";
import { Opcode, OPCODE_NAMES } from "#ffi/libfuse3/kernel.ts";
import { monotonicNanoseconds } from "#ffi/libc/clock.ts";
import { isAboutWaiting, WaitRefused } from "#src/io/wait_gate.ts";
import { BODY } from "./answer.ts";
import type { CallbackOutcome } from "./callbacks.ts";
import { errnoOf } from "./errno.ts";
import type { DirectoryPreloader } from "./directory_preloader.ts";
import { dispatchFast, NO_ANSWER, NOT_HANDLED } from "./fast_path.ts";
import type { FailureLog } from "./failure_log.ts";
import type { Operations } from "./operations.ts";
import type { RequestGate } from "./pending/request_gate.ts";
import type { RequestPoll } from "./request_poll.ts";
import type { WorkerStatistics } from "./statistics.ts";

/** What the loop works with. */
export interface LoopParts {
  readonly deviceFd: number;
  readonly operations: Operations;
  readonly statistics: WorkerStatistics;
  readonly failures: FailureLog;
  readonly preloader: DirectoryPreloader;
  /** This thread's part in who may wait. */
  readonly gate: RequestGate;
  /** Blocks as long as this thread is not needed. */
  readonly rest: () => void;
  /** Looks for the next request before this thread sleeps. */
  readonly poll: RequestPoll;
  /** Has libfuse handle the present request. */
  readonly processWithLibfuse: (size: number) => void;
  /** Where libfuse's callbacks leave their result. */
  readonly outcome: CallbackOutcome;
  readonly fastPath: boolean;
  /** Does what other threads want done, as long as no request waits. */
  readonly help: () => void;
}

/** Serves requests in the calling thread. */
export class RequestLoop {
  readonly #parts: LoopParts;
  /** What a thread does between two requests. */
  readonly #betweenRequests: () => void;

  constructor(parts: LoopParts) {
    this.#parts = parts;
    this.#betweenRequests = () => {
      parts.preloader.run();
      parts.help();
    };
  }

  /**
   * Runs until the mount is gone.
   *
   * @throws {OsError} when the device cannot be read any more for another reason
   */
  run(): void {
    const { deviceFd, gate, rest, poll, operations: { request } } = this.#parts;
    while (true) {
      // Before resting: a request that this thread has put off may have a permit by now, since
      // others may have finished.
      while (gate.takeOver()) this.#finish(request.opcode, this.#answer(request.opcode));
      rest();
      poll.wait();
      const size = read(deviceFd, request.buffer.address, request.capacity);
      if (size > 0) {
        request.size = size;
        poll.received(request.requester);
        this.#serve();
        gate.runTask(this.#betweenRequests);
      } else if (size === -Errno.ENODEV) {
        return;
      } else if (size !== -Errno.ENOENT && size !== -Errno.EINTR && size !== -Errno.EAGAIN) {
        // ENOENT: the requester was killed before this worker had the request.
        throw new OsError(-size, "read", "/dev/fuse");
      }
    }
  }

  #serve(): void {
    const { statistics, operations: { request } } = this.#parts;
    const { opcode } = request;
    const isTimed = statistics.begin(opcode);
    const start = isTimed ? monotonicNanoseconds() : 0;
    this.#parts.gate.begin();
    const result = this.#answer(opcode);
    if (isTimed) statistics.latency(opcode, monotonicNanoseconds() - start);
    this.#finish(opcode, result);
  }

  /** Counts what became of a request. */
  #finish(opcode: number, result: number): void {
    const { statistics } = this.#parts;
    if (result < 0) {
      if (result !== NO_ANSWER) this.#countError(opcode, -result);
    } else if (opcode === Opcode.READ) {
      statistics.bytes(opcode, result);
    } else if (opcode === Opcode.WRITE) {
      statistics.bytes(opcode, this.#parts.operations.answer.view.getUint32(BODY, true));
    }
  }

  #countError(opcode: number, errno: number): void {
    this.#parts.statistics.error(opcode, errno);
    if (errno === Errno.EROFS) this.#parts.failures.reportReadOnly();
    if (!lacksDescriptors(errno)) return;
    const operation = OPCODE_NAMES[opcode] ?? `opcode ${opcode}`;
    this.#parts.failures.reportNoDescriptors(operation, describeErrno(errno), openFileLimit());
  }

  /** Answers the present request. @returns its result, see {@link dispatchFast} */
  #answer(opcode: number): number {
    const { operations, fastPath, gate } = this.#parts;
    let result = NOT_HANDLED;
    if (fastPath) {
      try {
        result = dispatchFast(operations.request, operations);
      } catch (error) {
        result = this.handleException(error);
      }
    }
    if (result === NOT_HANDLED) {
      result = this.#answerWithLibfuse();
      gate.finish();
      return result;
    }
    const { deviceFd } = gate;
    if (gate.finish()) this.#undo(opcode, result);
    else if (result !== NO_ANSWER) this.#send(opcode, result, deviceFd);
    return result;
  }

  #answerWithLibfuse(): number {
    const { operations: { request }, outcome, processWithLibfuse } = this.#parts;
    // An operation without a callback is answered by libfuse.
    outcome.result = -Errno.ENOSYS;
    if (request.opcode === Opcode.INTERRUPT) return NO_ANSWER;
    processWithLibfuse(request.size);
    return outcome.result;
  }

  /** @param deviceFd the descriptor that the request came from */
  #send(opcode: number, result: number, deviceFd: number): void {
    const { answer, request } = this.#parts.operations;
    const size = result < 0 ? BODY : BODY + result;
    answer.setHeader(size, Math.min(result, 0), request.uniqueLow, request.uniqueHigh);
    const written = write(deviceFd, answer.buffer.address, BigInt(size));
    if (written === size) return;
    this.#undo(opcode, result);
    // ENOENT: the requester is gone. ENODEV: the mount is.
    if (written !== -Errno.ENOENT && written !== -Errno.ENODEV) {
      this.#parts.failures.report(
        `Cannot answer ${OPCODE_NAMES[opcode]}: ${describeErrno(-written)}`,
      );
    }
  }

  /** Takes back what an answer granted that the kernel does not have. */
  #undo(opcode: number, result: number): void {
    const { operations } = this.#parts;
    if (result >= 0) operations.undoAnswer(opcode, operations.request.nodeId, result);
  }

  /**
   * Logs an exception of the present request. @returns the negative errno to answer, or
   * {@link NO_ANSWER}
   */
  handleException(error: unknown): number {
    const { operations: { request }, failures } = this.#parts;
    if (isAboutWaiting(error)) return this.#stopWaiting(error);
    const errno = errnoOf(error);
    if (lacksDescriptors(errno)) return -errno;
    const operation = OPCODE_NAMES[request.opcode] ?? `opcode ${request.opcode}`;
    const message = error instanceof Error ? error.message : String(error);
    // A failed system call has said so itself.
    const answer = error instanceof OsError ? "" : `: ${describeErrno(errno)}`;
    failures.report(`${operation} of node ${request.nodeId}: ${message}${answer}`);
    return -errno;
  }

  /** Ends a request that must not wait in this thread, or was ended while it waited. */
  #stopWaiting(error: unknown): number {
    if (!(error instanceof WaitRefused)) return -Errno.EINTR;
    if (this.#parts.gate.putOff()) return NO_ANSWER;
    const { operations: { request }, failures } = this.#parts;
    failures.report(`${OPCODE_NAMES[request.opcode]}: ENOMEM: too many requests wait`);
    return -Errno.ENOMEM;
  }
}

/**
 * Such errors come by the thousand: the log counts them under one message of their own.
 */
function lacksDescriptors(errno: number): boolean {
  return errno === Errno.EMFILE || errno === Errno.ENFILE;
}
