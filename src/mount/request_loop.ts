/**
 * A worker's loop: read a request, answer it, until the mount is gone.
 *
 * @module
 */

import { read, write } from "#ffi/libc.ts";
import { openFileLimit } from "#ffi/libc_limits.ts";
import { describeErrno, Errno, OsError } from "#ffi/os_error.ts";
import { Opcode, OPCODE_NAMES } from "#ffi/libfuse3/kernel.ts";
import { monotonicNanoseconds } from "#ffi/libc_clock.ts";
import { BODY } from "./answer.ts";
import type { CallbackOutcome } from "./callbacks.ts";
import { errnoOf } from "./errno.ts";
import type { DirectoryPreloader } from "./directory_preloader.ts";
import { dispatchFast, NO_ANSWER, NOT_HANDLED } from "./fast_path.ts";
import type { FailureLog } from "./failure_log.ts";
import type { Operations } from "./operations.ts";
import type { WorkerStatistics } from "./statistics.ts";

/** What the loop works with. */
export interface LoopParts {
  readonly deviceFd: number;
  readonly operations: Operations;
  readonly statistics: WorkerStatistics;
  readonly failures: FailureLog;
  readonly preloader: DirectoryPreloader;
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

  constructor(parts: LoopParts) {
    this.#parts = parts;
  }

  /**
   * Runs until the mount is gone.
   *
   * @throws {OsError} when the device cannot be read any more for another reason
   */
  run(): void {
    const { deviceFd, preloader, help, operations: { request } } = this.#parts;
    while (true) {
      const size = read(deviceFd, request.buffer.address, request.capacity);
      if (size > 0) {
        request.size = size;
        this.#serve();
        preloader.run();
        help();
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
    const result = this.#answer(opcode);
    if (isTimed) statistics.latency(opcode, monotonicNanoseconds() - start);
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
    const { operations, fastPath } = this.#parts;
    let result = NOT_HANDLED;
    if (fastPath) {
      try {
        result = dispatchFast(operations.request, operations);
      } catch (error) {
        result = this.handleException(error);
      }
    }
    if (result === NOT_HANDLED) return this.#answerWithLibfuse();
    if (result !== NO_ANSWER) this.#send(opcode, result);
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

  #send(opcode: number, result: number): void {
    const { operations, deviceFd } = this.#parts;
    const { answer, request } = operations;
    const size = result < 0 ? BODY : BODY + result;
    answer.setHeader(size, Math.min(result, 0), request.uniqueLow, request.uniqueHigh);
    const written = write(deviceFd, answer.buffer.address, BigInt(size));
    if (written === size) return;
    if (result >= 0) operations.undoAnswer(opcode, request.nodeId, result);
    // ENOENT: the requester is gone. ENODEV: the mount is.
    if (written !== -Errno.ENOENT && written !== -Errno.ENODEV) {
      this.#parts.failures.report(
        `Cannot answer ${OPCODE_NAMES[opcode]}: ${describeErrno(-written)}`,
      );
    }
  }

  /** Logs an exception of the present request. @returns the negative errno to answer */
  handleException(error: unknown): number {
    const { operations: { request }, failures } = this.#parts;
    const errno = errnoOf(error);
    if (lacksDescriptors(errno)) return -errno;
    const operation = OPCODE_NAMES[request.opcode] ?? `opcode ${request.opcode}`;
    const message = error instanceof Error ? error.message : String(error);
    // A failed system call has said so itself.
    const answer = error instanceof OsError ? "" : `: ${describeErrno(errno)}`;
    failures.report(`${operation} of node ${request.nodeId}: ${message}${answer}`);
    return -errno;
  }
}

/** Such errors come by the thousand: they are told in words of their own, where they are counted. */
function lacksDescriptors(errno: number): boolean {
  return errno === Errno.EMFILE || errno === Errno.ENFILE;
}
