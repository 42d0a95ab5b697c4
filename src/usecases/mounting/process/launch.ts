/**
 * The launcher: starts a program that mounts as a background worker and waits for what it reports.
 *
 * There is no fork: the worker is a new process in a session of its own, with its end of a pipe as
 * standard output. The launcher may end at any time; the worker goes on.
 *
 * @module
 */

import { ProtocolError, StateError } from "#src/errors.ts";
import { formatUnmountCall } from "../control/unmount_call.ts";
import { errorOfHandshake, type HandshakeMessage, parseHandshake } from "../handshake.ts";

/** A worker that cannot even check its arguments in this time is reported as still busy. */
const START_TIMEOUT_MS = 30_000;
/**
 * A launcher that is not told to wait still stays so long after the checks, in which a mount comes
 * or fails.
 */
const GRACE_MS = 2_000;
const LOG_TAIL_LINES_MAX = 10;
const OUTPUT_TAIL_LENGTH_MAX = 4096;
const INTERRUPTIONS = ["SIGINT", "SIGTERM"] as const;

/** What the launcher waits for. */
export interface LaunchOptions {
  /** Program and arguments of the worker, which reports as `handshake.ts` says. */
  readonly command: readonly string[];
  /** Absolute path of the mount point, for messages. */
  readonly mountPath: string;
  /** Wait for the mount however long it takes, and not only for the checks before it. */
  readonly waitForMount: boolean;
  /** Longest wait for the mount. */
  readonly timeoutMs: number | undefined;
  /** Where the worker logs, for its last words. */
  readonly logPath: string | undefined;
  /**
   * What the worker can read from standard input: secrets, which must not be seen in a list of
   * processes.
   */
  readonly input?: Uint8Array | undefined;
}

/** How far the worker had come when the launcher returned. */
export type LaunchResult = { readonly state: "started" | "mounted"; readonly pid: number };

/**
 * Starts the worker.
 *
 * @throws what the worker failed with
 * @throws {StateError} `timeout` when it has not reported in time, or the user has stopped waiting;
 *   it goes on
 * @throws {ProtocolError} when it ended without a report
 */
export async function launchWorker(options: LaunchOptions): Promise<LaunchResult> {
  const logSizeBefore = fileSize(options.logPath);
  const child = spawnWorker(options.command, options.input);
  const timeoutMs = options.timeoutMs ?? (options.waitForMount ? undefined : START_TIMEOUT_MS);
  const errorOutput = new TailReader(child.stderr);
  using interruption = new Interruption();
  try {
    const outcome = await Promise.race([
      readReport(child.stdout, options.waitForMount ? undefined : GRACE_MS),
      deadline(timeoutMs),
      interruption.happened,
    ]);
    if (outcome === "timeout" || outcome === "interrupted") {
      throw stillInProgress(outcome, options.mountPath);
    }
    if (outcome === undefined) {
      throw await endedSilently(options.logPath, logSizeBefore, errorOutput);
    }
    if (outcome.type === "failed") throw errorOfHandshake(outcome.error);
    return { state: outcome.type, pid: outcome.pid };
  } finally {
    child.unref();
  }
}

function spawnWorker(
  [program, ...args]: readonly string[],
  input: Uint8Array | undefined,
): Deno.ChildProcess {
  const child = new Deno.Command(program!, {
    args,
    stdin: input === undefined ? "null" : "piped",
    stdout: "piped",
    stderr: "piped",
    detached: true,
  }).spawn();
  if (input !== undefined) void sendInput(child, input);
  return child;
}

async function sendInput(child: Deno.ChildProcess, input: Uint8Array): Promise<void> {
  const writer = child.stdin.getWriter();
  try {
    await writer.write(input);
    await writer.close();
  } catch {
    // A worker that has ended says why on its own.
  }
}

/**
 * Reads until the mount answers or has failed, or `graceMs` after the checks.
 *
 * @returns the last report, or undefined when the worker ended before
 */
function readReport(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  graceMs: number | undefined,
): Promise<HandshakeMessage | undefined> {
  const { promise: graceOver, resolve } = Promise.withResolvers<HandshakeMessage>();
  const onStarted = (message: HandshakeMessage) => {
    if (graceMs !== undefined) Deno.unrefTimer(setTimeout(() => resolve(message), graceMs));
  };
  return Promise.race([readOutcome(output, onStarted), graceOver]);
}

async function readOutcome(
  output: ReadableStream<Uint8Array<ArrayBuffer>>,
  onStarted: (message: HandshakeMessage) => void,
): Promise<HandshakeMessage | undefined> {
  let text = "";
  for await (const part of output.pipeThrough(new TextDecoderStream())) {
    text += part;
    const lines = text.split("\n");
    text = lines.pop()!;
    for (const line of lines) {
      const message = parseHandshake(line);
      if (message?.type === "started") onStarted(message);
      else if (message !== undefined) return message;
    }
  }
  return undefined;
}

function deadline(timeoutMs: number | undefined): Promise<"timeout"> {
  const { promise, resolve } = Promise.withResolvers<"timeout">();
  if (timeoutMs !== undefined) Deno.unrefTimer(setTimeout(() => resolve("timeout"), timeoutMs));
  return promise;
}

/** The user, or a shutdown, ends the waiting. */
class Interruption {
  readonly happened: Promise<"interrupted">;
  readonly #listener: () => void;

  constructor() {
    const { promise, resolve } = Promise.withResolvers<"interrupted">();
    this.happened = promise;
    this.#listener = () => resolve("interrupted");
    for (const signal of INTERRUPTIONS) Deno.addSignalListener(signal, this.#listener);
  }

  [Symbol.dispose](): void {
    for (const signal of INTERRUPTIONS) Deno.removeSignalListener(signal, this.#listener);
  }
}

function stillInProgress(reason: "timeout" | "interrupted", mountPath: string): StateError {
  const why = reason === "timeout" ? "no answer in the given time" : "waiting was interrupted";
  return new StateError("timeout", `mount still in progress (${why})`, {
    hint: `The worker goes on; see its log, or end it with ${formatUnmountCall({ mountPath })}`,
  });
}

async function endedSilently(
  logPath: string | undefined,
  logSizeBefore: number,
  errorOutput: TailReader,
): Promise<ProtocolError> {
  const lastWords = [logTail(logPath, logSizeBefore), await errorOutput.text()]
    .map((text) => text.trim()).filter((text) => text !== "");
  const hint = lastWords.length > 0
    ? `its last words:\n${lastWords.join("\n")}`
    : "it said nothing";
  return new ProtocolError("worker exited before reporting mount completion", {
    code: "worker-ended",
    hint,
  });
}

function fileSize(path: string | undefined): number {
  if (path === undefined) return 0;
  try {
    return Deno.lstatSync(path).size;
  } catch {
    return 0;
  }
}

function logTail(path: string | undefined, start: number): string {
  if (path === undefined || fileSize(path) <= start) return "";
  const text = new TextDecoder().decode(Deno.readFileSync(path).subarray(start));
  return text.trimEnd().split("\n").slice(-LOG_TAIL_LINES_MAX).join("\n");
}

/** Keeps the end of a stream. */
class TailReader {
  #text = "";
  readonly #done: Promise<void>;

  constructor(stream: ReadableStream<Uint8Array<ArrayBuffer>>) {
    this.#done = this.#read(stream);
  }

  /** The end of the stream's text, once the stream has ended. */
  async text(): Promise<string> {
    await this.#done;
    return this.#text;
  }

  async #read(stream: ReadableStream<Uint8Array<ArrayBuffer>>): Promise<void> {
    for await (const part of stream.pipeThrough(new TextDecoderStream())) {
      this.#text = (this.#text + part).slice(-OUTPUT_TAIL_LENGTH_MAX);
    }
  }
}
