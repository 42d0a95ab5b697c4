/**
 * The end of a connection where the files are: it answers what it is asked, and does nothing else.
 *
 * Answers are made in this thread, a frame at a time, whenever the connection takes more: so many
 * requests may be under way while one file at a time is read. Metadata go before contents, and
 * contents in the order in which they were asked for, since they are taken in that order too.
 *
 * @module
 */

import { Failure, OsError, ProtocolError } from "#src/errors.ts";
import type { FileSystemAccessor } from "#src/backup/client/file_system_accessor.ts";
import type { Connection } from "#src/net/connection.ts";
import { within } from "#src/net/deadline.ts";
import { type AnswerFrame, answerTo, type FileAnswer } from "./answers.ts";
import { DataPacker } from "./data_packing.ts";
import { FrameBatch } from "./frame_batch.ts";
import { type Frame, FrameKind, FrameSplitter } from "./format/frame.ts";
import {
  type AgentHello,
  commonVersion,
  decodeHello,
  encodeHello,
  type Feature,
  VERSIONS,
} from "./format/hello.ts";
import {
  COMMAND_SIZE_MAX,
  decodeRequest,
  decodeU32,
  encodeFailure,
  encodeU32,
} from "./format/request.ts";

/** What is served. */
export interface ServeFilesOptions {
  /** Closed by the caller. */
  readonly files: FileSystemAccessor;
  /** What it reaches, for messages. */
  readonly roots: readonly string[];
  /** Name and version of this program. */
  readonly program: string;
  /** Runs commands; without it none are run. */
  readonly runCommand?: RunCommand | undefined;
}

/** Runs a command line. Its output is cut to {@link OUTPUT_SIZE_MAX} bytes. */
export type RunCommand = (command: string, signal: AbortSignal) => Promise<CommandOutcome>;

/** How a command has ended. */
export interface CommandOutcome {
  /** As the shell tells it. */
  readonly exitCode: number;
  /** What it has printed at last. */
  readonly output: Uint8Array<ArrayBuffer>;
}

/** Bytes of a command's output that are kept. */
export const OUTPUT_SIZE_MAX = 64 << 10;
/** Requests that may be under way. */
const REQUESTS_MAX = 1024;
/** Of what is asked; nothing longer is taken. */
const REQUEST_SIZE_MAX = 2 * COMMAND_SIZE_MAX;
/** Handed to the connection at a time, with the frame that makes it so. */
const BATCH_SIZE = 512 << 10;
/** For that frame; there are few larger ones. */
const BATCH_ROOM = 512 << 10;
const HELLO_TIMEOUT_MS = 10_000;
/** So often something is said, so that whoever waits knows that there is life. */
const ALIVE_MS = 10_000;
const CREDIT_MAX = 2 ** 40;

/**
 * Answers until the peer ends the connection.
 *
 * @throws {ProtocolError | FormatError | LimitError} when the connection breaks, or what comes is
 *   no request
 */
export async function serveConnection(
  connection: Connection,
  options: ServeFilesOptions,
): Promise<void> {
  const service = new Service(connection, options);
  try {
    await service.run();
  } finally {
    service.close();
  }
}

/** A request under way. */
interface Job {
  readonly answer: FileAnswer;
  /** What the answer may still cost. */
  credit: number;
}

/** A frame that is no part of an answer. */
interface UrgentFrame {
  readonly type: number;
  readonly requestId: number;
  readonly payload: Uint8Array<ArrayBuffer> | undefined;
}

class Service {
  readonly #connection: Connection;
  readonly #options: ServeFilesOptions;
  readonly #decoder = new FrameSplitter(REQUEST_SIZE_MAX);
  readonly #metadataJobs = new Map<number, Job>();
  readonly #contentJobs = new Map<number, Job>();
  /** What goes before all answers. */
  #urgent: UrgentFrame[] = [];
  readonly #batch = new FrameBatch(BATCH_SIZE + BATCH_ROOM);
  #packer: DataPacker | undefined;
  #command: { readonly requestId: number; readonly abort: AbortController } | undefined;
  #isWriting = false;
  #hasPeerEnded = false;
  #wake: (() => void) | undefined;
  readonly #aliveTimer: ReturnType<typeof setInterval>;

  constructor(connection: Connection, options: ServeFilesOptions) {
    this.#connection = connection;
    this.#options = options;
    this.#aliveTimer = setInterval(() => {
      // What waits to be written is a sign of life already.
      if (!this.#isWriting) this.#say(FrameKind.ALIVE, 0);
    }, ALIVE_MS);
  }

  async run(): Promise<void> {
    this.#say(FrameKind.HELLO, 0, encodeHello(this.#hello()));
    const sending = this.#send().catch((error) => {
      this.#connection.destroy();
      throw error;
    });
    const receiving = this.#receive().finally(() => {
      this.#hasPeerEnded = true;
      this.#wake?.();
    });
    await Promise.all([sending, receiving]);
    this.#connection.end();
  }

  close(): void {
    clearInterval(this.#aliveTimer);
    this.#command?.abort.abort();
    for (const jobs of [this.#metadataJobs, this.#contentJobs]) {
      for (const { answer } of jobs.values()) answer.return();
      jobs.clear();
    }
  }

  #hello(): AgentHello {
    const { files, roots, program, runCommand } = this.#options;
    const known = files.capabilities?.();
    const features: Feature[] = runCommand === undefined ? ["zstd"] : ["zstd", "commands"];
    return {
      program,
      versions: VERSIONS,
      features,
      knownFields: known === undefined ? undefined : [...known.knownFields],
      mtimePrecisionNs: known?.mtimePrecisionNs ?? 1,
      uid: known?.uid ?? 0,
      gid: known?.gid ?? 0,
      roots,
      requestsMax: REQUESTS_MAX,
    };
  }

  async #receive(): Promise<void> {
    const connection = this.#connection;
    let isGreeted = false;
    const greeting = () => within(connection, HELLO_TIMEOUT_MS, "has not greeted", read);
    const read = () => connection.read();
    while (true) {
      const bytes = await (isGreeted ? read() : greeting());
      if (bytes === undefined) break;
      for (const frame of this.#decoder.push(bytes)) {
        if (isGreeted) this.#take(frame);
        else this.#greet(frame);
        isGreeted = true;
      }
    }
    if (this.#decoder.isInside) {
      throw new ProtocolError(`${connection.peer} ended in the middle of a request`);
    }
  }

  #greet({ type, payload }: Frame): void {
    const { peer } = this.#connection;
    if (type !== FrameKind.HELLO) throw new ProtocolError(`${peer} has not greeted`);
    const { versions, features, program } = decodeHello(payload);
    if (commonVersion(VERSIONS, versions) === undefined) {
      throw new ProtocolError(
        `${peer} (${program}) speaks versions ${versions.min} to ${versions.max} of the ` +
          `protocol, this program ${VERSIONS.min} to ${VERSIONS.max}`,
      );
    }
    if (features.includes("zstd")) this.#packer = new DataPacker();
  }

  #take(frame: Frame): void {
    const { type, requestId, payload } = frame;
    if (type === FrameKind.CREDIT) {
      const job = this.#metadataJobs.get(requestId) ?? this.#contentJobs.get(requestId);
      // An answer that has ended needs none.
      if (job !== undefined) job.credit = Math.min(job.credit + decodeU32(payload), CREDIT_MAX);
      this.#wake?.();
    } else if (type === FrameKind.CANCEL) {
      this.#cancel(requestId);
    } else {
      this.#begin(frame);
    }
  }

  #begin(frame: Frame): void {
    const { requestId } = frame;
    const request = decodeRequest(frame);
    const { peer } = this.#connection;
    const count = this.#metadataJobs.size + this.#contentJobs.size + this.#urgent.length;
    if (count >= 2 * REQUESTS_MAX) throw new ProtocolError(`${peer} asks for too much at a time`);
    if (
      requestId === 0 || this.#metadataJobs.has(requestId) || this.#contentJobs.has(requestId) ||
      this.#command?.requestId === requestId
    ) {
      throw new ProtocolError(`${peer} has used number ${requestId} for two requests`);
    }
    if (request.kind === "run") return this.#run(requestId, request.command);
    const jobs = request.kind === "read" ? this.#contentJobs : this.#metadataJobs;
    const { files } = this.#options;
    const credit = request.kind === "stat" ? CREDIT_MAX : request.credit;
    jobs.set(requestId, { answer: answerTo(request, files, this.#packer), credit });
    this.#wake?.();
  }

  #cancel(requestId: number): void {
    for (const jobs of [this.#metadataJobs, this.#contentJobs]) {
      const job = jobs.get(requestId);
      if (job === undefined) continue;
      jobs.delete(requestId);
      job.answer.return();
      this.#say(FrameKind.END, requestId);
    }
    if (this.#command?.requestId === requestId) this.#command.abort.abort();
  }

  /** Sends a frame before all answers. */
  #say(type: number, requestId: number, payload?: Uint8Array<ArrayBuffer>): void {
    this.#urgent.push({ type, requestId, payload });
    this.#wake?.();
  }

  async #send(): Promise<void> {
    while (!this.#hasPeerEnded) {
      const batch = this.#batch;
      batch.clear();
      for (const frame of this.#urgent.splice(0)) {
        batch.add(frame.type, frame.requestId, frame.payload);
      }
      this.#gather(batch);
      if (batch.size > 0) {
        this.#isWriting = true;
        await this.#connection.write([batch.bytes]);
        this.#isWriting = false;
      } else {
        await new Promise<void>((resolve) => this.#wake = resolve);
        this.#wake = undefined;
      }
    }
  }

  /** Appends frames of the answers that may go on. */
  #gather(batch: FrameBatch): void {
    for (const jobs of [this.#metadataJobs, this.#contentJobs]) {
      for (const [requestId, job] of jobs) {
        while (job.credit > 0) {
          if (batch.size >= BATCH_SIZE) return;
          const frame = nextFrame(job.answer);
          job.credit -= frame.cost ?? 0;
          batch.add(frame.type, requestId, frame.payload, frame.flags);
          if (frame.type !== FrameKind.END && frame.type !== FrameKind.ERROR) continue;
          jobs.delete(requestId);
          break;
        }
      }
    }
  }

  #run(requestId: number, command: string): void {
    const { runCommand } = this.#options;
    const refuse = (code: string, message: string) =>
      this.#say(FrameKind.ERROR, requestId, encodeFailure({ errno: 0, code, message }));
    if (runCommand === undefined) return refuse("commands", "No commands are run here");
    if (this.#command !== undefined) return refuse("busy", "A command is running already");
    const abort = new AbortController();
    this.#command = { requestId, abort };
    runCommand(command, abort.signal).then(({ exitCode, output }) => {
      this.#say(FrameKind.DATA, requestId, output);
      this.#say(FrameKind.EXIT, requestId, encodeU32(exitCode));
    }, (error) => refuse("command", messageOf(error))).finally(() => this.#command = undefined);
  }
}

/** The next frame of an answer, which ends with END or ERROR. */
function nextFrame(answer: FileAnswer): AnswerFrame {
  try {
    return answer.next().value!;
  } catch (error) {
    const errno = error instanceof OsError ? error.errno : 0;
    const code = error instanceof Failure ? error.code : "internal";
    const payload = encodeFailure({ errno, code, message: messageOf(error) });
    return { type: FrameKind.ERROR, payload };
  }
}

function messageOf(error: unknown): string {
  return error instanceof Error ? error.message : String(error);
}
