/**
 * Threads and what they are for. The program hands in where their code comes from; one module may
 * be that of all its threads, and a thread's name says which role it has.
 *
 * @module
 */

import { type SharedCells, storeAndWake, waitWhile } from "./waiting.ts";

/** Starts a thread with a name. */
export type SpawnThread<Spawned extends Thread = Worker> = (name: string) => Spawned;

/** A thread as far as it is known here: a Worker, or one that is lent. */
export interface Thread {
  /** Whether it will help others later. Default: false. */
  readonly isKept?: boolean;
  /** Called when the thread fails with an error that it did not catch. */
  onerror: ((event: ErrorEvent) => void) | null;
  /** Gives the thread its start, a structured clone; shared memory stays shared. */
  postMessage(message: unknown): void;
  /** It has nothing more to do. */
  terminate(): void;
}

/**
 * What threads of a module do, by the role in their names; `start` is what they were given. One
 * that answers messages returns a promise, and goes on until that is settled.
 */
export type ThreadRoles = Readonly<Record<string, (start: unknown) => void | Promise<void>>>;

/** Gives a thread that was just started what {@link ThreadStart} says, for one use. */
export function startThread(thread: Worker, start: unknown, transfer: Transferable[]): void {
  const states = new Int32Array(new SharedArrayBuffer(Int32Array.BYTES_PER_ELEMENT));
  const message: ThreadStart = { states, index: 0, isKept: false, start };
  thread.postMessage(message, transfer);
}

/** The message that ends a thread that was kept. */
export const END = "end";

/** Sent to a thread once, or once for each whom it helps. */
interface ThreadStart {
  readonly states: SharedCells;
  readonly index: number;
  readonly isKept: boolean;
  readonly start: unknown;
}

/** States of threads, each in a cell that was 0 at first. */
const State = { STARTING: 0, RUNNING: 1, ENDED: 2 } as const;

/** How long a thread may take to end: as long as it may for an answer. */
const END_TIMEOUT_MS = 600_000;

/**
 * Threads that run the module at a URL. A function is asked when a thread starts: what is relative
 * to `import.meta.url` has no place in the executable, which hands in its own.
 *
 * @param permissions what they may do for good; else it is what the starting one may, and what
 *   either gives up is gone for both
 */
export function threadsFrom(
  url: string | (() => URL),
  permissions?: Deno.PermissionOptionsObject,
): SpawnThread {
  const options = permissions === undefined ? {} : { deno: { permissions } };
  return (name) =>
    new Worker(typeof url === "string" ? url : url(), { type: "module", name, ...options });
}

/** The name of a thread with a role. */
export function threadName(role: string, index: number): string {
  return `${role}-${index}`;
}

/**
 * Threads with one role. They may take a while to be there, and nobody waits for it: others do
 * their share.
 */
export class Threads {
  readonly #states: SharedCells;
  readonly #threads: readonly Thread[];

  /** @param start is sent to each */
  constructor(spawn: SpawnThread<Thread>, role: string, count: number, start: unknown) {
    const states = new Int32Array(new SharedArrayBuffer(count * Int32Array.BYTES_PER_ELEMENT));
    this.#states = states;
    this.#threads = Array.from({ length: count }, (_, index) => {
      const thread = spawn(threadName(role, index));
      // By default it would end the program when one cannot start or fails.
      thread.onerror = (event) => event.preventDefault();
      const isKept = thread.isKept === true;
      thread.postMessage({ states, index, isKept, start } satisfies ThreadStart);
      return thread;
    });
  }

  /**
   * Ends all, after they were told to come to an end by what they share: those that have begun are
   * waited for.
   *
   * @returns false when one did not end in time, and may still use what it was given
   */
  end(timeoutMs = END_TIMEOUT_MS): boolean {
    let haveEnded = true;
    this.#threads.forEach((thread, index) => {
      // Either it has not begun and never will, or it is waited for.
      Atomics.compareExchange(this.#states, index, State.STARTING, State.ENDED);
      if (!waitWhile(this.#states, index, State.RUNNING, timeoutMs)) haveEnded = false;
      thread.terminate();
    });
    return haveEnded;
  }
}

/** The global scope of a thread, as far as it is used here. */
interface ThreadScope {
  readonly name?: string;
  onmessage: ((event: MessageEvent<ThreadStart | typeof END>) => void) | null;
  close(): void;
}

/** The role in this thread's name; empty where it has none. */
export function threadRole(): string {
  return (globalThis as unknown as ThreadScope).name?.replace(/-\d+$/, "") ?? "";
}

/** The number in this thread's name: from 0 on, of those that were started together. */
export function threadIndex(): number {
  return Number(/\d+$/.exec((globalThis as unknown as ThreadScope).name ?? "")?.[0] ?? 0);
}

/**
 * Makes this thread do what its name says. To be called once in its module.
 *
 * @param release frees what terminating the thread does not, such as the memory of libraries
 * @returns false when it has none of these roles
 */
export function serveThread(roles: ThreadRoles, release: () => void): boolean {
  const scope = globalThis as unknown as ThreadScope;
  const role = threadRole();
  const serve = Object.hasOwn(roles, role) ? roles[role] : undefined;
  if (serve === undefined) return false;
  scope.onmessage = ({ data }) => {
    if (data === END) {
      release();
      scope.close();
      return;
    }
    const { states, index, isKept, start } = data;
    const before = Atomics.compareExchange(states, index, State.STARTING, State.RUNNING);
    if (before !== State.STARTING) return;
    const end = () => {
      if (!isKept) release();
      storeAndWake(states, index, State.ENDED);
      if (!isKept) scope.close();
    };
    try {
      const ending = serve(start);
      if (ending !== undefined) return void ending.then(end, end);
    } catch {
      // It is of no help then. Whoever it was to help does its share, and so finds out what is
      // wrong.
    }
    end();
  };
  return true;
}
