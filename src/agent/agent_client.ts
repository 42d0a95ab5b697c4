/**
 * The end of a connection that asks: the files of another host, as a backup reads them.
 *
 * @module
 */

import { concatenate } from "#src/bytes/concatenate.ts";
import { freeMemory } from "#src/bytes/freed_memory.ts";
import { FormatError, OsError, ProtocolError, StateError } from "#src/errors.ts";
import type {
  ClientCapabilities,
  ClientEntry,
  ClientFile,
  ClientPage,
  ClientProvider,
  ContentPiece,
  ContentRange,
} from "#src/backup/client/provider.ts";
import { type Connection, CONNECTION_LOST } from "#src/net/connection.ts";
import { METADATA_FIELDS } from "#src/tree/metadata.ts";
import { AnswerStream, CREDIT_AT_FIRST } from "./answer_stream.ts";
import { DataUnpacker } from "./data_packing.ts";
import { decodeEntry, decodePage } from "#src/backup/client/entry_record.ts";
import {
  encodeFrame,
  FLAG_ZSTD,
  type Frame,
  FrameKind,
  FrameSplitter,
  PAYLOAD_SIZE_MAX,
  unexpectedFrame,
} from "./format/frame.ts";
import { type AgentHello, encodeHello, type Feature, VERSIONS } from "./format/hello.ts";
import {
  type AgentRequest,
  decodeFailure,
  decodeHole,
  decodeU32,
  encodeRequest,
  encodeU32,
} from "./format/request.ts";
import { greet } from "./greeting.ts";
import { RequestSlots } from "./request_slots.ts";
import { type CommandOutcome, OUTPUT_SIZE_MAX } from "./serve_connection.ts";

/** How a client is asked. */
export interface AgentClientOptions {
  /** Name and version of this program. */
  readonly program: string;
  /** Whether contents travel packed, where both sides can; for slow connections. */
  readonly compress?: boolean | undefined;
  /** A client that is silent for so long while something is asked is gone; 60 s. */
  readonly timeoutMs?: number | undefined;
  /** Ends the greeting. */
  readonly signal?: AbortSignal | undefined;
  /**
   * Directory that will be listed first: it is asked for together with the greeting, which spares
   * the way there and back.
   */
  readonly firstDirectory?: string | undefined;
}

const TIMEOUT_MS = 60_000;
/** After a time is over: what has come meanwhile to a thread that was busy is looked at. */
const GRACE_MS = 1_000;
/** For an orderly end. */
const CLOSE_TIMEOUT_MS = 5_000;
const REQUEST_ID_MAX = 0xffff_ffff;
/** Of what is asked together with the greeting. */
const FIRST_ID = 1;

/** A client at the other end of a connection. */
export class AgentClient implements ClientProvider {
  /** What it has said of itself. */
  readonly hello: AgentHello;
  readonly #connection: Connection;
  readonly #timeoutMs: number;
  readonly #pending = new Map<number, Pending>();
  readonly #slots: RequestSlots;
  /** Those that are listened to. */
  readonly #signals = new WeakSet<AbortSignal>();
  #unpacker: DataUnpacker | undefined;
  #outgoing: Uint8Array<ArrayBuffer>[] = [];
  #isWriting = false;
  #lastId = 0;
  #failure: unknown;
  #silenceTimer: ReturnType<typeof setTimeout> | undefined;
  #hasHeard = false;
  /** What was asked together with the greeting, until somebody wants it. */
  #first: { readonly path: string; readonly answer: AnswerStream } | undefined;

  private constructor(
    connection: Connection,
    hello: AgentHello,
    options: AgentClientOptions,
  ) {
    this.hello = hello;
    this.#connection = connection;
    this.#timeoutMs = options.timeoutMs ?? TIMEOUT_MS;
    this.#slots = new RequestSlots(hello.requestsMax);
    const { firstDirectory: path } = options;
    if (path !== undefined) {
      void this.#slots.take();
      this.#first = { path, answer: this.#expect(this.#nextId(), path, undefined) };
    }
    this.#receive().catch((error) => this.#break(error));
  }

  /**
   * Greets the client; the connection is its own then.
   *
   * @throws {ProtocolError} when there is no client at the other end, or a version that this
   *   program does not speak
   * @throws {StateError} `interrupted`
   */
  static async open(connection: Connection, options: AgentClientOptions): Promise<AgentClient> {
    const features: Feature[] = options.compress === true ? ["commands", "zstd"] : ["commands"];
    const own = encodeHello({ program: options.program, versions: VERSIONS, features });
    const { timeoutMs = TIMEOUT_MS, signal, firstDirectory } = options;
    const frames = encodeFrame(FrameKind.HELLO, 0, own);
    if (firstDirectory !== undefined) {
      const [type, payload] = encodeRequest(listRequest(firstDirectory));
      frames.push(...encodeFrame(type, FIRST_ID, payload));
    }
    try {
      // Why it cannot be written is told by who reads.
      connection.write(frames).catch(() => {});
      const hello = await greet(connection, timeoutMs, signal);
      return new AgentClient(connection, hello, options);
    } catch (error) {
      connection.destroy();
      throw error;
    }
  }

  /** See {@link ClientProvider.capabilities}. */
  capabilities(): Promise<ClientCapabilities> {
    const { knownFields, mtimePrecisionNs, uid, gid } = this.hello;
    const known = METADATA_FIELDS.filter((name) => knownFields?.includes(name) ?? true);
    return Promise.resolve({ knownFields: new Set(known), mtimePrecisionNs, uid, gid });
  }

  /** See {@link ClientProvider.stat}. */
  async stat(path: string, signal?: AbortSignal): Promise<ClientEntry> {
    const answer = await this.#ask({ kind: "stat", path }, path, signal);
    try {
      return decodeEntry(await payloadOf(answer, FrameKind.ENTRY));
    } finally {
      answer.cancel();
    }
  }

  /** See {@link ClientProvider.readDirectory}. */
  async *readDirectory(path: string, signal?: AbortSignal): AsyncGenerator<ClientPage> {
    const answer = this.#takeFirst(path) ?? await this.#ask(listRequest(path), path, signal);
    try {
      for (let frame = await answer.next(); frame !== undefined; frame = await answer.next()) {
        if (frame.type !== FrameKind.PAGE) throw unexpectedFrame(frame);
        yield decodePage(frame.payload);
      }
    } finally {
      answer.cancel();
    }
  }

  /** See {@link ClientProvider.readFile}. */
  async readFile(path: string, range: ContentRange, signal?: AbortSignal): Promise<ClientFile> {
    const request = { kind: "read", path, credit: CREDIT_AT_FIRST, ...range } as const;
    const answer = await this.#ask(request, path, signal);
    try {
      const entry = decodeEntry(await payloadOf(answer, FrameKind.ENTRY));
      const content = { [Symbol.asyncIterator]: () => this.#content(answer) };
      return { entry, content, givesAway: true };
    } catch (error) {
      answer.cancel();
      throw error;
    }
  }

  /**
   * Runs a command where the files are.
   *
   * @throws {ProtocolError} with the code `commands` where none are run
   */
  async runCommand(command: string, signal?: AbortSignal): Promise<CommandOutcome> {
    if (!this.hello.features.includes("commands")) {
      throw new ProtocolError(
        `${this.#connection.peer} runs no commands: it was started without leave to do so`,
        { code: "commands" },
      );
    }
    const answer = await this.#ask({ kind: "run", command }, command, signal);
    try {
      const parts: Uint8Array<ArrayBuffer>[] = [];
      let size = 0;
      for (;;) {
        const frame = await answer.next();
        if (frame?.type === FrameKind.EXIT) {
          return { output: concatenate(parts), exitCode: decodeU32(frame.payload) };
        }
        size += frame?.payload.length ?? 0;
        if (frame?.type !== FrameKind.DATA || size > OUTPUT_SIZE_MAX) throw unexpected(frame);
        parts.push(frame.payload);
      }
    } finally {
      answer.cancel();
    }
  }

  /** See {@link ClientProvider.close}. */
  async close(): Promise<void> {
    const connection = this.#connection;
    const timer = setTimeout(() => connection.destroy(), CLOSE_TIMEOUT_MS);
    // The other end need not be waited for: nothing is wanted of it any more.
    await (connection.end() ?? connection.closed);
    clearTimeout(timer);
    this.#fail(new ProtocolError(`The connection to ${connection.peer} is closed`));
  }

  #content(answer: AnswerStream): AsyncIterator<ContentPiece> {
    return {
      next: async () => {
        const frame = await answer.next();
        if (frame === undefined) return { done: true, value: undefined };
        return { done: false, value: this.#pieceOf(frame) };
      },
      return: () => {
        answer.cancel();
        return Promise.resolve({ done: true, value: undefined });
      },
    };
  }

  #pieceOf(frame: Frame): ContentPiece {
    const { type, flags, payload } = frame;
    if (type === FrameKind.HOLE) return { holeBytes: decodeHole(payload) };
    const isData = type === FrameKind.DATA && (flags & ~FLAG_ZSTD) === 0 && payload.length > 0;
    if (!isData) throw unexpectedFrame(frame);
    return flags === 0 ? payload : (this.#unpacker ??= new DataUnpacker()).unpack(payload);
  }

  /** Sends a request when it is its turn. @param what path or command, for messages */
  async #ask(
    request: AgentRequest,
    what: string,
    signal: AbortSignal | undefined,
  ): Promise<AnswerStream> {
    await this.#slots.take();
    const failure = signal?.aborted === true ? interrupted(what) : this.#failure;
    if (failure !== undefined) {
      this.#slots.give();
      throw failure;
    }
    const requestId = this.#nextId();
    const answer = this.#expect(requestId, what, signal);
    const [type, payload] = encodeRequest(request);
    this.#post(type, requestId, payload);
    return answer;
  }

  /** Makes the answer of a request that has a slot. */
  #expect(requestId: number, what: string, signal: AbortSignal | undefined): AnswerStream {
    const answer = new AnswerStream({
      give: (credit) => this.#post(FrameKind.CREDIT, requestId, encodeU32(credit)),
      cancel: () => this.#post(FrameKind.CANCEL, requestId),
    });
    this.#listen(signal);
    this.#pending.set(requestId, { answer, what, signal });
    this.#watch();
    return answer;
  }

  /** Ends answers by their caller's signal: mostly one for thousands of them. */
  #listen(signal: AbortSignal | undefined): void {
    if (signal === undefined || this.#signals.has(signal)) return;
    this.#signals.add(signal);
    const abort = () => {
      for (const { answer, what, signal: own } of this.#pending.values()) {
        if (own !== signal) continue;
        answer.cancel();
        answer.fail(interrupted(what));
      }
    };
    signal.addEventListener("abort", abort, { once: true });
  }

  /** What was asked together with the greeting, once. */
  #takeFirst(path: string): AnswerStream | undefined {
    if (this.#first?.path !== path) return undefined;
    const { answer } = this.#first;
    this.#first = undefined;
    return answer;
  }

  #nextId(): number {
    do {
      this.#lastId = this.#lastId % REQUEST_ID_MAX + 1;
    } while (this.#pending.has(this.#lastId));
    return this.#lastId;
  }

  /** Sends a frame, together with what else there is to send. */
  #post(type: number, requestId: number, payload?: Uint8Array<ArrayBuffer>): void {
    if (this.#failure !== undefined) return;
    this.#outgoing.push(...encodeFrame(type, requestId, payload));
    if (this.#isWriting) return;
    this.#isWriting = true;
    this.#write().catch((error) => this.#break(error));
  }

  async #write(): Promise<void> {
    // Whoever called may have more: all of it goes out at once.
    await Promise.resolve();
    while (this.#outgoing.length > 0) await this.#connection.write(this.#outgoing.splice(0));
    this.#isWriting = false;
  }

  async #receive(): Promise<void> {
    const decoder = new FrameSplitter(PAYLOAD_SIZE_MAX, FrameKind.DATA);
    while (true) {
      const bytes = await this.#connection.read();
      if (bytes === undefined) break;
      this.#hasHeard = true;
      let isKept = false;
      for (const frame of decoder.push(bytes)) {
        const { payload } = frame;
        const isPart = payload.buffer === bytes.buffer && payload.length < bytes.length;
        if (payload.length === bytes.length) isKept = true;
        // A part would keep all of it.
        this.#take(isPart ? { ...frame, payload: payload.slice() } : frame);
      }
      if (!isKept) freeMemory(bytes);
    }
    throw new ProtocolError(`${this.#connection.peer} has ended the connection`, CONNECTION_LOST);
  }

  #take(frame: Frame): void {
    const { type, requestId, payload } = frame;
    if (type === FrameKind.ALIVE) return;
    if (requestId === 0 && type === FrameKind.ERROR) {
      const { message } = decodeFailure(payload);
      throw new ProtocolError(`${this.#connection.peer} ends the connection: ${message}`);
    }
    const pending = this.#pending.get(requestId);
    if (pending === undefined) throw unexpectedFrame(frame);
    const { answer, what } = pending;
    if (type === FrameKind.END) answer.end();
    else if (type === FrameKind.ERROR) answer.fail(this.#failureOf(payload, what));
    else answer.take(frame);
    if (type === FrameKind.EXIT) answer.end();
    if (type !== FrameKind.END && type !== FrameKind.ERROR && type !== FrameKind.EXIT) return;
    this.#pending.delete(requestId);
    this.#slots.give();
  }

  #failureOf(payload: Uint8Array<ArrayBuffer>, what: string): Error {
    const { errno, code, message } = decodeFailure(payload);
    if (errno !== 0) return new OsError(errno, "read", what);
    return new ProtocolError(`${this.#connection.peer} has failed: ${message}`, { code });
  }

  /** Fails when nothing comes for too long while something is asked. */
  #watch(): void {
    if (this.#silenceTimer !== undefined) return;
    this.#hasHeard = false;
    const wait = (ms: number, isLast: boolean) => {
      this.#silenceTimer = setTimeout(() => {
        this.#silenceTimer = undefined;
        if (this.#failure !== undefined || this.#pending.size === 0) return;
        if (this.#hasHeard) return this.#watch();
        // What has come to a thread that was busy is looked at only after its timers.
        if (!isLast) return wait(Math.min(GRACE_MS, this.#timeoutMs), true);
        const seconds = this.#timeoutMs / 1000;
        const message = `${this.#connection.peer} has said nothing for ${seconds} seconds`;
        this.#break(new ProtocolError(message, { code: "timeout", isTemporary: true }));
      }, ms);
    };
    wait(this.#timeoutMs, false);
  }

  /** Nothing more can be asked: all that is under way fails. */
  #break(failure: unknown): void {
    this.#fail(failure);
    this.#connection.destroy();
  }

  #fail(failure: unknown): void {
    if (this.#failure !== undefined) return;
    this.#failure = failure;
    clearTimeout(this.#silenceTimer);
    for (const { answer } of this.#pending.values()) answer.fail(failure);
    this.#pending.clear();
    this.#slots.giveAll();
  }
}

/** A request under way. */
interface Pending {
  readonly answer: AnswerStream;
  /** Path or command. */
  readonly what: string;
  /** The caller's. */
  readonly signal: AbortSignal | undefined;
}

function listRequest(path: string): AgentRequest {
  return { kind: "list", path, credit: CREDIT_AT_FIRST };
}

/** The payload of an answer's next frame, which must be of that type. */
async function payloadOf(answer: AnswerStream, type: number): Promise<Uint8Array<ArrayBuffer>> {
  const frame = await answer.next();
  if (frame?.type === type) return frame.payload;
  throw unexpected(frame);
}

function unexpected(frame: Frame | undefined): FormatError {
  return frame === undefined
    ? new FormatError("An answer has ended too soon")
    : unexpectedFrame(frame);
}

function interrupted(what: string): StateError {
  return new StateError("interrupted", `Reading "${what}" of the client was interrupted`);
}
