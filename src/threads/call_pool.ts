/**
 * Threads that answer calls: for an event loop that must not block, and has work that does.
 *
 * A thread answers one call after the other. A call goes to whichever thread is free first, or to
 * the thread of a {@link Lane}, which has what earlier calls of that lane have left there. A thread
 * that fails takes its calls along, as temporary errors, and another one takes its place.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import { formatFailure, parseFailure } from "./failure_text.ts";
import { type SpawnThread, startThread, threadName } from "./thread.ts";

/**
 * What a thread can be asked for, by name: methods on something that the thread has. Arguments and
 * results are structured clones.
 */
export type CallTable<Context> = Readonly<
  // deno-lint-ignore no-explicit-any -- each has arguments of its own
  Record<string, (context: Context, ...args: any[]) => unknown>
>;

/** Arguments of a call. */
export type CallArgs<Table, Name extends keyof Table> = Table[Name] extends
  (context: never, ...args: infer Args) => unknown ? Args : never;

/** What a call gives. */
export type CallResult<Table, Name extends keyof Table> = Table[Name] extends
  (...args: never[]) => infer Result ? Received<Awaited<Result>> : never;

type Received<Result> = Result extends Transferred<infer Value> ? Value : Result;

/** A result some of whose buffers are moved, not copied. */
export class Transferred<Value> {
  constructor(readonly value: Value, readonly transfer: Transferable[]) {}
}

/** How a call is made. */
export interface CallOptions {
  /** Buffers among the arguments that are moved to the thread. */
  readonly transfer?: Transferable[];
  /** The thread to use; default: any. */
  readonly lane?: Lane | undefined;
}

/** The thread that calls with something in common are made in. */
export interface Lane {
  /** Gives it back: how many lanes a thread has decides which one gets the next. */
  release(): void;
}

/** How a pool is made. */
export interface CallPoolOptions {
  /** Starts a thread from a module that knows the role. */
  readonly spawn: SpawnThread;
  readonly role: string;
  readonly count: number;
  /** Calls that may wait for a thread. */
  readonly queueMax: number;
}

interface Call {
  readonly name: string;
  readonly target: unknown;
  readonly args: readonly unknown[];
  readonly transfer: Transferable[];
  readonly resolve: (value: unknown) => void;
  readonly reject: (error: unknown) => void;
}

type Request = Pick<Call, "name" | "target" | "args"> | "end";
type Reply = { readonly value: unknown } | { readonly failure: string } | "ended";

/** See the head of the module. Targets are plain values, of which threads make what methods get. */
export class CallPool<Table, Target> {
  readonly #options: CallPoolOptions;
  readonly #threads: CallThread[];
  /** Calls that any thread may take. */
  readonly #queue: Call[] = [];
  #isClosed = false;

  /** Threads are started when the first call needs them. */
  constructor(options: CallPoolOptions) {
    this.#options = options;
    this.#threads = Array.from({ length: options.count }, (_, index) => this.#newThread(index));
  }

  /**
   * Calls a method of the table in a thread.
   *
   * @throws {ProtocolError} temporary, when too many calls wait already, or the thread has failed
   * @throws {StateError} `stopped` when the pool is closed
   * @throws what the method throws
   */
  call<Name extends keyof Table & string>(
    target: Target,
    name: Name,
    args: CallArgs<Table, Name>,
    { transfer = [], lane }: CallOptions = {},
  ): Promise<CallResult<Table, Name>> {
    return this.#call(target, name, args, transfer, (call) => {
      if (lane instanceof CallThread) lane.add(call);
      else this.#add(call);
    });
  }

  /**
   * Calls a method in a thread of its own, which ends with it: for what takes minutes.
   *
   * @throws as {@link call}
   */
  async callAlone<Name extends keyof Table & string>(
    target: Target,
    name: Name,
    args: CallArgs<Table, Name>,
    transfer: Transferable[] = [],
  ): Promise<CallResult<Table, Name>> {
    const thread = this.#newThread(this.#threads.length);
    thread.isReserved = true;
    this.#threads.push(thread);
    try {
      return await this.#call(target, name, args, transfer, (call) => thread.add(call));
    } finally {
      this.#threads.splice(this.#threads.indexOf(thread), 1);
      await thread.end();
    }
  }

  /** The thread with the fewest lanes, for calls that belong together. */
  takeLane(): Lane {
    const shared = this.#threads.filter((thread) => !thread.isReserved);
    const thread = shared.reduce((best, next) => next.laneCount < best.laneCount ? next : best);
    return thread.takeLane();
  }

  /** Ends all threads when the calls that were made are answered. */
  async close(): Promise<void> {
    this.#isClosed = true;
    await Promise.all(this.#threads.map((thread) => thread.end()));
  }

  #call<Name extends keyof Table & string>(
    target: Target,
    name: Name,
    args: CallArgs<Table, Name>,
    transfer: Transferable[],
    add: (call: Call) => void,
  ): Promise<CallResult<Table, Name>> {
    const { promise, resolve, reject } = Promise.withResolvers<unknown>();
    if (this.#isClosed) reject(stopped());
    else add({ name, target, args: args as readonly unknown[], transfer, resolve, reject });
    return promise as Promise<CallResult<Table, Name>>;
  }

  #newThread(index: number): CallThread {
    return new CallThread(() => {
      const { spawn, role } = this.#options;
      return spawn(threadName(role, index));
    }, () => this.#queue.shift());
  }

  #add(call: Call): void {
    const shared = this.#threads.filter((thread) => !thread.isReserved);
    const free = shared.find((thread) => !thread.isBusy);
    if (free !== undefined) return free.add(call);
    if (this.#queue.length < this.#options.queueMax) return void this.#queue.push(call);
    call.reject(
      new ProtocolError(`Cannot call "${call.name}": ${this.#queue.length} calls wait already`, {
        code: "overloaded",
        isTemporary: true,
      }),
    );
  }
}

/** A thread, from its first call on. It is also the lane of those that are given it. */
class CallThread implements Lane {
  /** Whether it is for one call only. */
  isReserved = false;
  laneCount = 0;
  readonly #start: () => Worker;
  readonly #next: () => Call | undefined;
  /** Calls for this thread only. */
  readonly #queue: Call[] = [];
  #running: Call | undefined;
  #thread: { readonly worker: Worker; readonly port: MessagePort } | undefined;
  #ended = Promise.withResolvers<void>();
  #isEnding = false;

  constructor(start: () => Worker, next: () => Call | undefined) {
    this.#start = start;
    this.#next = next;
  }

  get isBusy(): boolean {
    return this.#running !== undefined;
  }

  takeLane(): Lane {
    this.laneCount++;
    return this;
  }

  release(): void {
    this.laneCount--;
  }

  add(call: Call): void {
    if (this.#running === undefined) this.#run(call);
    else this.#queue.push(call);
  }

  /** Ends the thread when its calls are answered. */
  end(): Promise<void> {
    this.#isEnding = true;
    this.#endIfIdle();
    return this.#ended.promise;
  }

  #run(call: Call): void {
    this.#running = call;
    try {
      const { port } = this.#thread ??= this.#startThread();
      const request: Request = { name: call.name, target: call.target, args: call.args };
      port.postMessage(request, call.transfer);
    } catch (error) {
      this.#running = undefined;
      call.reject(error);
      this.#goOn();
    }
  }

  #startThread(): { readonly worker: Worker; readonly port: MessagePort } {
    const worker = this.#start();
    const { port1: port, port2 } = new MessageChannel();
    worker.onerror = (event) => {
      // By default it would end the program.
      event.preventDefault();
      this.#fail(event.message);
    };
    port.onmessage = ({ data }: MessageEvent<Reply>) => this.#take(data);
    startThread(worker, port2, [port2]);
    return { worker, port };
  }

  #take(reply: Reply): void {
    if (reply === "ended") return this.#close();
    const call = this.#running;
    this.#running = undefined;
    if ("failure" in reply) call?.reject(parseFailure(reply.failure));
    else call?.resolve(reply.value);
    this.#goOn();
  }

  /** Its own calls come first: whoever has a lane has something locked. */
  #goOn(): void {
    const next = this.#queue.shift() ?? (this.isReserved ? undefined : this.#next());
    if (next !== undefined) this.#run(next);
    else this.#endIfIdle();
  }

  #fail(reason: string): void {
    const calls = [...this.#running === undefined ? [] : [this.#running], ...this.#queue.splice(0)];
    this.#running = undefined;
    for (const call of calls) {
      call.reject(
        new ProtocolError(`Cannot finish "${call.name}": its thread has failed: ${reason}`, {
          code: "thread",
          isTemporary: true,
        }),
      );
    }
    this.#close();
    this.#goOn();
  }

  #endIfIdle(): void {
    if (!this.#isEnding || this.#running !== undefined) return;
    if (this.#thread === undefined) this.#ended.resolve();
    else this.#thread.port.postMessage("end" satisfies Request);
  }

  #close(): void {
    this.#thread?.port.close();
    this.#thread?.worker.terminate();
    this.#thread = undefined;
    if (this.#isEnding && this.#running === undefined) this.#ended.resolve();
  }
}

function stopped(): StateError {
  return new StateError("stopped", "Cannot call a thread: its pool is closed");
}

/**
 * Answers calls in this thread, until the pool is closed: what a role of a {@link CallPool} does.
 *
 * @param start as the thread got it
 * @param contextOf what methods get for a target
 * @param release frees what calls have left
 */
export function serveCalls<Target, Context>(
  start: unknown,
  table: CallTable<Context>,
  contextOf: (target: Target) => Context,
  release: () => void,
): Promise<void> {
  const port = start as MessagePort;
  const { promise, resolve } = Promise.withResolvers<void>();
  const answer = async ({ name, target, args }: Exclude<Request, "end">): Promise<void> => {
    try {
      if (!Object.hasOwn(table, name)) throw new ProtocolError(`Cannot call "${name}": unknown`);
      const result = await table[name]!(contextOf(target as Target), ...args);
      if (result instanceof Transferred) {
        port.postMessage({ value: result.value } satisfies Reply, result.transfer);
      } else {
        port.postMessage({ value: result } satisfies Reply);
      }
    } catch (error) {
      port.postMessage({ failure: formatFailure(error) } satisfies Reply);
    }
  };
  port.onmessage = ({ data }: MessageEvent<Request>) => {
    if (data !== "end") return void answer(data);
    release();
    port.postMessage("ended" satisfies Reply);
    port.close();
    resolve();
  };
  return promise;
}
