/**
 * A server in the foreground of this process: started, waited for, stopped.
 *
 * It ends with this process, however that ends: the kernel tells it to stop at once. It is in a
 * session of its own, so an interrupt from the terminal does not reach it.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import type { ServerBinaries } from "./binaries.ts";
import type { ConnectionTarget } from "./connection.ts";
import { ServerLog } from "./server_log.ts";
import type { PostgresSettings } from "./settings.ts";

/** Whom a server runs as. */
export interface ServerUser {
  readonly uid: number;
  readonly gid: number;
  /** Name of the account; undefined where the number has none. */
  readonly name: string | undefined;
}

/** How to start a server. */
export interface ServerStart {
  readonly binaries: ServerBinaries;
  readonly dataDirectory: string;
  readonly settings: PostgresSettings;
  /** Undefined: who runs this program, which must not be root. */
  readonly user: ServerUser | undefined;
  /** Longest wait for the end of recovery; undefined: for ever. */
  readonly timeoutMs: number | undefined;
  /** Ends the wait. */
  readonly signal: AbortSignal | undefined;
  /** Is told what the server says while it starts. */
  readonly onLine?: (line: string) => void;
}

/** `fast` writes a checkpoint; `immediate` leaves everything as in a crash. */
export type StopMode = "fast" | "immediate";

/** The server says so when recovery is over and it takes connections. */
const READY = /database system is ready to accept connections$/u;
const STOP_TIMEOUT_MS = { fast: 300_000, immediate: 10_000 } as const;
const SIGNALS = { fast: "SIGINT", immediate: "SIGQUIT" } as const;
const TAIL_LINES = 12;

/** See the head of the module. */
export class PostgresServer {
  readonly #process: Deno.ChildProcess;
  readonly #ended: Promise<Deno.CommandStatus>;
  #hasEnded = false;
  readonly #settings: PostgresSettings;
  readonly log: ServerLog;

  private constructor(process: Deno.ChildProcess, settings: PostgresSettings) {
    this.#process = process;
    this.#settings = settings;
    this.log = new ServerLog(process.stderr);
    this.#ended = process.status.then((status) => {
      this.#hasEnded = true;
      return status;
    });
  }

  /**
   * Starts a server and waits until it takes connections; recovery is over then.
   *
   * @throws {ProtocolError} `server-failed` when it ends before, with its last words
   * @throws {StateError} `timeout`, `interrupted`
   */
  static async start(options: ServerStart): Promise<PostgresServer> {
    options.signal?.throwIfAborted();
    const server = new PostgresServer(spawn(options), options.settings);
    server.log.onLine = options.onLine;
    try {
      await server.#waitUntilReady(options);
      return server;
    } catch (error) {
      await server.stop("immediate");
      throw error;
    }
  }

  /** How clients reach it. */
  target(user: string, database: string): ConnectionTarget {
    const { unix_socket_directories: socketDirectory, port } = this.#settings;
    return { socketDirectory: socketDirectory!, port: Number(port), user, database };
  }

  /** Its process. */
  get pid(): number {
    return this.#process.pid;
  }

  /** Whether it has ended, by itself or stopped. */
  get hasEnded(): boolean {
    return this.#hasEnded;
  }

  /** Stops it, the harder the longer it takes. Does nothing when it has ended. */
  async stop(mode: StopMode): Promise<void> {
    if (mode === "fast" && await this.#signal("fast")) return;
    if (await this.#signal("immediate")) return;
    this.#kill("SIGKILL");
    await this.#ended;
  }

  /** @returns whether it has ended in time */
  async #signal(mode: StopMode): Promise<boolean> {
    if (this.#hasEnded) return true;
    this.#kill(SIGNALS[mode]);
    return await settlesWithin(this.#ended, STOP_TIMEOUT_MS[mode]);
  }

  #kill(signal: Deno.Signal): void {
    try {
      this.#process.kill(signal);
    } catch {
      // It has just ended.
    }
  }

  async #waitUntilReady({ timeoutMs, signal }: ServerStart): Promise<void> {
    const stopped = Promise.withResolvers<"interrupted">();
    const onAbort = () => stopped.resolve("interrupted");
    signal?.addEventListener("abort", onAbort);
    const timer = new Timer(timeoutMs);
    try {
      const outcome = await Promise.race([
        this.log.line(READY).then(() => "ready" as const),
        this.#ended,
        timer.passed,
        stopped.promise,
      ]);
      if (outcome === "ready") return;
      if (outcome === "interrupted") {
        throw new StateError("interrupted", "Interrupted while the server was starting");
      }
      if (outcome === "timeout") {
        throw new StateError("timeout", "The server has not finished recovery in the given time", {
          hint: lastWords(this.log.tail(TAIL_LINES)),
        });
      }
      await this.log.ended;
      throw this.failure(`The server ended at its start, ${describeStatus(outcome)}`);
    } finally {
      timer.clear();
      signal?.removeEventListener("abort", onAbort);
    }
  }

  /** An error about this server, with its last words. */
  failure(message: string): ProtocolError {
    const failures = this.log.failures(TAIL_LINES);
    const words = failures.length > 0 ? failures : this.log.tail(TAIL_LINES);
    return new ProtocolError(message, { code: "server-failed", hint: lastWords(words) });
  }
}

/** The program of the server, as its user. */
function spawn({ binaries, dataDirectory, settings, user }: ServerStart): Deno.ChildProcess {
  const flags = Object.entries(settings).flatMap(([name, value]) => ["-c", `${name}=${value}`]);
  return new Deno.Command("setpriv", {
    args: [
      ...(user === undefined ? [] : identity(user)),
      // When this process ends in any way, the server does, at once.
      "--pdeathsig=QUIT",
      "--",
      `${binaries.directory}/postgres`,
      ...["-D", dataDirectory],
      ...flags,
    ],
    cwd: "/",
    env: { LC_ALL: "C", PGTZ: "GMT" },
    stdin: "null",
    stdout: "null",
    stderr: "piped",
    detached: true,
  }).spawn();
}

function identity({ uid, gid, name }: ServerUser): string[] {
  return [
    `--reuid=${uid}`,
    `--regid=${gid}`,
    // Groups are those of an account.
    name === undefined ? "--clear-groups" : "--init-groups",
    "--inh-caps=-all",
  ];
}

function describeStatus({ signal, code }: Deno.CommandStatus): string {
  return signal === null ? `with exit code ${code}` : `by ${signal}`;
}

function lastWords(lines: readonly string[]): string {
  return lines.length === 0 ? "it said nothing" : `its last words: ${lines.join("; ")}`;
}

/** A wait that can be given up. */
class Timer {
  readonly passed: Promise<"timeout">;
  readonly #id: ReturnType<typeof setTimeout> | undefined;

  constructor(timeoutMs: number | undefined) {
    const { promise, resolve } = Promise.withResolvers<"timeout">();
    this.passed = promise;
    if (timeoutMs !== undefined) this.#id = setTimeout(() => resolve("timeout"), timeoutMs);
  }

  clear(): void {
    clearTimeout(this.#id);
  }
}

async function settlesWithin(promise: Promise<unknown>, timeoutMs: number): Promise<boolean> {
  const timer = new Timer(timeoutMs);
  try {
    return await Promise.race([promise.then(() => true), timer.passed.then(() => false)]);
  } finally {
    timer.clear();
  }
}
