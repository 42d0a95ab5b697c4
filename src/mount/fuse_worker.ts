/**
 * The body of a FUSE worker: a thread that answers the kernel's requests. The module that a worker
 * starts from calls {@link serveWorker} with the factory of its file system.
 *
 * @module
 */

import { isReadable } from "#ffi/libc/metadata.ts";
import { unshareUmaskAndDirectory, unwrap } from "#ffi/libc/calls.ts";
import { cloneDevice, invalidateAttributes, wakeReader } from "#ffi/libfuse3/device.ts";
import { loadLibfuse3 } from "#ffi/libfuse3/load.ts";
import { makeOperationsTable } from "#ffi/libfuse3/operations_table.ts";
import { Replies } from "#ffi/libfuse3/replies.ts";
import { FuseSession } from "#ffi/libfuse3/session.ts";
import { endNativeCodecs } from "#src/codecs/codecs.ts";
import type { WaitGate } from "#src/io/wait_gate.ts";
import type { FileSystem } from "#src/tree/file_system.ts";
import { DeviceBackingRegistry } from "./backing_registry.ts";
import { makeCallbacks } from "./callbacks.ts";
import { DirectoryPreloader } from "./directory_preloader.ts";
import { FailureLog } from "./failure_log.ts";
import { Operations } from "./operations.ts";
import { RequestGate } from "./pending/request_gate.ts";
import { WaitTable } from "./pending/wait_table.ts";
import { ownThreadId } from "./pending/waited_file.ts";
import { Request } from "./request.ts";
import { RequestLoop } from "./request_loop.ts";
import { RequestPoll } from "./request_poll.ts";
import { WorkerStatistics } from "./statistics.ts";
import {
  type LendMessage,
  type StartMessage,
  stateCell,
  type WorkerMessage,
  WorkerState,
} from "./worker_protocol.ts";

/** More permits than there are threads. */
const UNLIMITED = 1000;

/** What a file system gets to know about the worker it runs in. */
export interface WorkerContext {
  /** From 0 to `workerCount - 1`. */
  readonly index: number;
  /** Workers that serve the mount together; the reserve, whose index is this, is not counted. */
  readonly workerCount: number;
  /**
   * This thread was started because the others wait for the source: what it has to read of that
   * before it can serve, it must read when a request needs it, and through {@link gate}.
   */
  readonly isReserve: boolean;
  /** To be called around every wait for the source. */
  readonly gate: WaitGate;
  /** Undefined where the kernel does not do passthrough. */
  readonly backing: DeviceBackingRegistry | undefined;
  /**
   * The kernel checks access by POSIX ACLs; if not, modes must not permit more than the ACLs.
   */
  readonly posixAcls: boolean;
  /** Logs a failure through the main isolate, at a limited rate. */
  readonly reportFailure: (message: string) => void;
}

/**
 * Makes this worker's instance of the file system. `description` is what `mountFileSystem` was
 * given; whatever several workers share is in it as a SharedArrayBuffer.
 */
export type FileSystemFactory = (description: unknown, context: WorkerContext) => FileSystem;

/** Who leads the mount, as this thread sees it: the global scope, or the port it was lent by. */
interface Leader {
  onmessage: ((event: MessageEvent) => void) | null;
  postMessage(message: WorkerMessage): void;
  close(): void;
}

/**
 * Waits for the one start message and serves until the mount is gone. To be called once in a
 * worker's module.
 */
export function serveWorker(openFileSystem: FileSystemFactory): void {
  const scope = globalThis as unknown as Leader;
  scope.onmessage = ({ data }) => {
    if (!isLent(data)) {
      serveFor(scope, data as StartMessage, openFileSystem);
      return scope.close();
    }
    const { port, unshares } = data;
    port.onmessage = ({ data }) => {
      serveFor(port, data as StartMessage, (description, context) => {
        // Those of the thread that has lent this one stay as they are.
        if (unshares) unwrap(unshareUmaskAndDirectory(), "unshare", "umask");
        return openFileSystem(description, context);
      });
      port.close();
      scope.close();
    };
  };
}

function isLent(message: StartMessage | LendMessage): message is LendMessage {
  return "port" in message;
}

function serveFor(leader: Leader, start: StartMessage, openFileSystem: FileSystemFactory): void {
  const states = new Int32Array(start.states);
  const cell = stateCell(start.index, start.workerCount);
  try {
    serve(start, openFileSystem, leader, states);
    Atomics.store(states, cell, WorkerState.ENDED);
    leader.postMessage({ type: "ended", index: start.index });
  } catch (error) {
    const message = error instanceof Error ? error.message : String(error);
    const { STARTING, NOT_STARTED, FAILED } = WorkerState;
    const hasServed = Atomics.load(states, cell) !== STARTING;
    Atomics.store(states, cell, hasServed ? FAILED : NOT_STARTED);
    leader.postMessage({ type: "failed", index: start.index, message });
  }
}

function serve(
  start: StartMessage,
  openFileSystem: FileSystemFactory,
  leader: Leader,
  states: Int32Array,
): void {
  const failures = new FailureLog(start.index, (message) => leader.postMessage(message));
  const library = loadLibfuse3(start.libfusePath);
  const deviceFd = cloneDevice(start.deviceFd);
  const request = new Request();
  const table = new WaitTable(start.waits);
  const { index, workerCount } = start;
  table.setThreadId(index, ownThreadId());
  const gate = new RequestGate({
    table,
    index,
    deviceFd,
    request,
    alarm: () => leader.postMessage({ type: "alarm", index }),
  });
  const isReserve = index >= workerCount;
  const fileSystem = openFileSystem(start.description, {
    index,
    workerCount,
    isReserve,
    gate,
    backing: start.passthrough ? new DeviceBackingRegistry(deviceFd) : undefined,
    posixAcls: start.posixAcls,
    reportFailure: (message) => failures.report(message),
  });
  const preloader = new DirectoryPreloader({
    mountPoint: start.mountPoint,
    index,
    states: states.subarray(0, workerCount + 1),
    gate,
  });
  fileSystem.expireAttributes = (nodeId) => invalidateAttributes(deviceFd, nodeId);
  fileSystem.preloadDirectory = (nodeId, count) => preloader.request(nodeId, count);
  fileSystem.callHelpers = () => {
    for (let other = 1; other < workerCount; other++) wakeReader(deviceFd);
  };
  const isRequestWaiting = () => isReadable(deviceFd);
  const operations = new Operations(
    fileSystem,
    request,
    start.hasLongSetxattr,
    (low, high) => table.interrupt(low, high),
  );
  const outcome = { result: 0 };
  const callbacks = makeCallbacks(
    operations,
    new Replies(library),
    outcome,
    (error) => loop.handleException(error),
  );
  const session = new FuseSession(library, start.mountOptions, makeOperationsTable(callbacks));
  const loop = new RequestLoop({
    deviceFd,
    operations,
    statistics: new WorkerStatistics(start.statistics, index),
    failures,
    preloader,
    gate,
    poll: new RequestPoll(isRequestWaiting, start.polling),
    rest: isReserve ? () => table.rest() : () => {},
    processWithLibfuse: (size) => session.process(request.buffer, size),
    outcome,
    fastPath: start.fastPath,
    help: () => fileSystem.help?.(isRequestWaiting),
  });
  try {
    session.mount(`/dev/fd/${deviceFd}`);
    request.buffer.bytes.set(start.initReplay);
    session.process(request.buffer, start.initReplay.length);
    // What libfuse reads only its own session can answer: it cannot be put off.
    if (!isReserve) table.addPermits(start.fastPath ? 1 : UNLIMITED);
    Atomics.store(states, stateCell(index, workerCount), WorkerState.SERVING);
    leader.postMessage({ type: "serving", index });
    loop.run();
  } finally {
    // Closes the device too: requests that this worker has read are then answered ECONNABORTED.
    session.destroy();
    fileSystem.close();
    endNativeCodecs();
  }
}
