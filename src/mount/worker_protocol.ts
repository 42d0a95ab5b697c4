/**
 * What the main isolate and a FUSE worker say to each other.
 *
 * @module
 */

import type { WaitMemory } from "./pending/wait_table.ts";

/** Role of a thread that serves a mount. */
export const FUSE_ROLE = "fuse";

/**
 * States of a worker, in a shared Int32Array with one cell each: they arrive even if a message does
 * not. One more cell is 1 while a worker preloads (`directory_preloader.ts`); behind it comes the
 * reserve's, see {@link stateCell}.
 */
export const WorkerState = {
  STARTING: 0,
  SERVING: 1,
  ENDED: 2,
  /** Failed while it served: the request that it was handling is never answered. */
  FAILED: 3,
  /** Failed before it served. */
  NOT_STARTED: 4,
} as const;

/** Cell of a thread's state: the reserve's is behind that of preloading. */
export function stateCell(index: number, workerCount: number): number {
  return index < workerCount ? index : index + 1;
}

/**
 * Sent to a worker first where not the thread that has started it leads the mount: what follows
 * comes by the port, and is answered there.
 */
export interface LendMessage {
  readonly port: MessagePort;
  /** The file system sets the umask of the thread, which must not be that of others. */
  readonly unshares: boolean;
}

/** Sent to a worker once; it serves from then on and reads no further message. */
export interface StartMessage {
  /** Which worker this is, from 0 on; `workerCount` is the reserve. */
  readonly index: number;
  /** Workers besides the reserve. */
  readonly workerCount: number;
  /** Descriptor of the device that the mount was made with. */
  readonly deviceFd: number;
  /** INIT request to replay to libfuse. */
  readonly initReplay: Uint8Array<ArrayBuffer>;
  /** The kernel and this mount can do passthrough. */
  readonly passthrough: boolean;
  /** The kernel checks access by POSIX ACLs. */
  readonly posixAcls: boolean;
  /** SETXATTR requests have the form of SETXATTR_EXT. */
  readonly hasLongSetxattr: boolean;
  /** Absolute path of the mount point, for libfuse, which looks at it only to unmount. */
  readonly mountPoint: string;
  /** What the mount was made with, separated by commas, as libfuse takes them. */
  readonly mountOptions: string;
  /** The library found by the main isolate; undefined for the usual names. */
  readonly libfusePath: string | undefined;
  /** Frequent requests are decoded from the kernel's own layout, not by libfuse. */
  readonly fastPath: boolean;
  /** Passed on to the file system's factory. */
  readonly description: unknown;
  /** A cell for each worker's state; see {@link stateCell}. */
  readonly states: SharedArrayBuffer;
  /** Memory of the counters of requests of all workers. */
  readonly statistics: SharedArrayBuffer;
  /** Which of the workers polls; see `request_poll.ts`. */
  readonly polling: SharedArrayBuffer;
  /** Shared by all that wait, or end waits. */
  readonly waits: WaitMemory;
}

/** Sent by a worker. */
export type WorkerMessage =
  | { readonly type: "serving"; readonly index: number }
  | { readonly type: "ended"; readonly index: number }
  | { readonly type: "failed"; readonly index: number; readonly message: string }
  /** All threads that may wait are in requests that may. */
  | { readonly type: "alarm"; readonly index: number }
  /** A change was refused because a file system beneath is read-only. At most once. */
  | { readonly type: "read-only"; readonly index: number }
  | {
    readonly type: "log";
    readonly index: number;
    readonly message: string;
    /** Messages left out since the one before, because there were too many. */
    readonly suppressed: number;
  };
