/**
 * A server of HTTP/2 over a connection that both ends know to speak it.
 *
 * @module
 */

import { type ProtocolError, UsageError } from "#src/errors.ts";
import type { Connection } from "../connection.ts";
import type { HttpAnswer, HttpHandler, HttpHeaders, OutgoingBody } from "../http.ts";
import { ErrorCode, violation } from "./error_code.ts";
import { answerFields, checkTrailers, parseRequestHead, type RequestHead } from "./fields.ts";
import { goAwayFrame, headersFrames } from "./frame.ts";
import type { HeaderList } from "./hpack_decoder.ts";
import { encodeHeaderBlock } from "./hpack_encoder.ts";
import { Session, type SessionLimits } from "./session.ts";
import { Http2Stream } from "./stream.ts";

/** What a server allows a client. */
export interface Http2ServerLimits extends SessionLimits {
  /** Requests at a time; those whose handlers run on after a reset included. */
  readonly maxConcurrentStreams: number;
  /** For progress of a body in either direction. */
  readonly bodyTimeoutMs: number;
  /** A connection without requests ends after it. */
  readonly idleTimeoutMs: number;
}

/** What holds unless told. */
export const SERVER_LIMITS: Http2ServerLimits = {
  // A handler may read a body only when it has room for it. Those that wait must never use up the
  // window of the connection, or those that are read would wait for them, and they for those: so
  // it holds the windows of all streams.
  streamWindowSize: 256 << 10,
  connectionWindowSize: 128 * (256 << 10),
  frameSizeMax: 4 << 20,
  headerListSizeMax: 64 << 10,
  // Clients may open 100 before they have heard of a limit.
  maxConcurrentStreams: 128,
  headTimeoutMs: 30_000,
  bodyTimeoutMs: 120_000,
  idleTimeoutMs: 3_600_000,
  keepAliveMs: 60_000,
  keepAliveTimeoutMs: 60_000,
};

/** How a connection is served. */
export interface Http2ServerOptions {
  /** Instead of {@link SERVER_LIMITS}. */
  readonly limits?: Partial<Http2ServerLimits>;
  /** Aborted to end when the requests under way are answered. */
  readonly signal?: AbortSignal;
  /** Hears what a handler threw, which the client only gets to know as status 500. */
  readonly onError?: (error: unknown) => void;
}

/** Let in of a request that was answered before it was read, so that the client sees the answer. */
const DRAIN_SIZE_MAX = 32 << 20;

/**
 * Answers the requests of a connection until it ends and no handler runs any more. Never rejects.
 *
 * @returns what ended it, if that was no orderly end
 */
export async function serveHttp2(
  connection: Connection,
  handler: HttpHandler,
  options: Http2ServerOptions = {},
): Promise<ProtocolError | undefined> {
  const session = new ServerSession(connection, handler, options);
  const leave = () => session.leave();
  options.signal?.addEventListener("abort", leave);
  if (options.signal?.aborted === true) leave();
  const failure = await session.settled;
  options.signal?.removeEventListener("abort", leave);
  await session.handlersDone();
  return failure;
}

class ServerSession extends Session {
  readonly #handler: HttpHandler;
  readonly #serverLimits: Http2ServerLimits;
  readonly #onError: (error: unknown) => void;
  readonly #running = new Map<Http2Stream, Promise<void>>();
  #lastId = 0;
  #isLeaving = false;
  #hasSentBlock = false;
  #busyMs = performance.now();

  constructor(connection: Connection, handler: HttpHandler, options: Http2ServerOptions) {
    const limits = { ...SERVER_LIMITS, ...options.limits };
    super(connection, limits, "server", limits.maxConcurrentStreams);
    this.#serverLimits = limits;
    this.#handler = handler;
    this.#onError = options.onError ?? (() => {});
    void this.run();
  }

  async handlersDone(): Promise<void> {
    while (this.#running.size > 0) await Promise.all(this.#running.values());
  }

  /** Takes no more requests, and ends when those under way are answered. */
  leave(): void {
    if (this.#isLeaving || this.hasEnded) return;
    this.#isLeaving = true;
    this.outbox.control(goAwayFrame(this.#lastId, "NO_ERROR", ""));
    this.onStreamGone();
  }

  protected override onStreamGone(): void {
    this.#busyMs = performance.now();
    if (this.#isLeaving && this.streams.size === 0) this.end(undefined);
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId > this.#lastId;
  }

  protected override get lastPeerStreamId(): number {
    return this.#lastId;
  }

  protected override onPeerLeaves(): void {
    this.#isLeaving = true;
    this.onStreamGone();
  }

  protected override onWatch(nowMs: number): void {
    if (this.streams.size > 0) this.#busyMs = nowMs;
    else if (nowMs - this.#busyMs >= this.#serverLimits.idleTimeoutMs) this.leave();
  }

  protected override onFields(
    streamId: number,
    stream: Http2Stream | undefined,
    list: HeaderList,
    endsStream: boolean,
  ): void {
    if (stream !== undefined) return this.#trailers(stream, list, endsStream);
    if (!this.isIdle(streamId)) return;
    if (streamId % 2 === 0) {
      throw violation("PROTOCOL_ERROR", `a request came on stream ${streamId}, which is even`);
    }
    this.#lastId = streamId;
    // What was sent before the peer knew that this end leaves; it may ask another one.
    if (this.#isLeaving) return this.sendReset(streamId, ErrorCode.REFUSED_STREAM);
    const { maxConcurrentStreams: max } = this.#serverLimits;
    // The peer may open the next stream as soon as it has the end of an answer, which is before
    // this end hears that it was sent. What was reset counts for as long as its handler runs.
    const counted = this.#running.keys().filter((one) =>
      one.failure !== undefined || !(one.isSendDone && one.isReceiveDone)
    );
    if ([...counted].length >= max || this.#running.size >= 2 * max) {
      this.countReset();
      return this.sendReset(streamId, ErrorCode.REFUSED_STREAM);
    }
    let head: RequestHead;
    try {
      if (list.isTooLarge) throw violation("ENHANCE_YOUR_CALM", "the header is too large");
      head = parseRequestHead(list.fields);
      if (endsStream && (head.contentLength ?? 0) > 0) {
        throw violation("PROTOCOL_ERROR", "the announced body is missing");
      }
    } catch (error) {
      this.countReset();
      const isLarge = (error as ProtocolError).code === "ENHANCE_YOUR_CALM";
      const code = isLarge ? ErrorCode.ENHANCE_YOUR_CALM : ErrorCode.PROTOCOL_ERROR;
      return this.sendReset(streamId, code);
    }
    this.#begin(streamId, head, endsStream);
  }

  #trailers(stream: Http2Stream, { fields, isTooLarge }: HeaderList, endsStream: boolean): void {
    try {
      checkTrailers(fields);
      if (!endsStream || isTooLarge) {
        throw violation("PROTOCOL_ERROR", "fields came in the middle of a body");
      }
      stream.receiveEnd();
    } catch (error) {
      this.countReset();
      this.resetStream(stream, error as ProtocolError);
    }
  }

  #begin(streamId: number, head: RequestHead, endsStream: boolean): void {
    const stream = new Http2Stream(
      streamId,
      this,
      { send: this.peerSettings.initialWindowSize, receive: this.limits.streamWindowSize },
      this.#serverLimits.bodyTimeoutMs,
      DRAIN_SIZE_MAX,
    );
    this.streams.set(streamId, stream);
    stream.receiveHead(head.contentLength);
    if (endsStream) stream.receiveEnd();
    else if (head.headers["expect"]?.toLowerCase() === "100-continue") {
      this.#sendHead(stream, 100, {}, false);
    }
    const answering = this.#answer(stream, head);
    this.#running.set(stream, answering);
    void answering.finally(() => this.#running.delete(stream));
  }

  /** Never rejects. */
  async #answer(stream: Http2Stream, { method, target, headers }: RequestHead): Promise<void> {
    const aborted = new AbortController();
    stream.onGone = () => {
      if (stream.failure !== undefined) aborted.abort(stream.failure);
    };
    const { peer } = this;
    const { signal } = aborted;
    let answer: HttpAnswer;
    try {
      answer = await this.#handler({ method, target, headers, body: stream, peer, signal });
      answerFields(answer.status, answer.headers ?? {});
    } catch (error) {
      // What the stream failed with comes back through the handler that read it.
      if (stream.failure === undefined) this.#onError(error);
      answer = FAILURE;
    }
    try {
      await this.#sendAnswer(stream, answer, method === "HEAD");
    } catch (error) {
      if (stream.failure !== undefined) return;
      this.#onError(error);
      this.resetStream(stream, violation("INTERNAL_ERROR", "the answer broke off"));
    }
  }

  async #sendAnswer(stream: Http2Stream, answer: HttpAnswer, isHead: boolean): Promise<void> {
    const { status, headers = {}, body } = answer;
    if (stream.failure !== undefined) return await giveUp(body);
    const size = body === undefined ? 0 : body instanceof Uint8Array ? body.length : undefined;
    const withLength = size === undefined || "content-length" in headers || status === 204
      ? headers
      : { ...headers, "content-length": `${size}` };
    const hasBody = !isHead && body !== undefined && size !== 0;
    this.#sendHead(stream, status, withLength, !hasBody);
    if (!hasBody) {
      stream.endSending();
      this.directionDone(stream);
      await giveUp(body);
    } else {
      const announced = withLength["content-length"];
      await sendBody(stream, body, announced === undefined ? undefined : Number(announced));
    }
    if (!stream.isReceiveDone) stream.discard();
  }

  #sendHead(stream: Http2Stream, status: number, headers: HttpHeaders, endsStream: boolean): void {
    const dated = { date: new Date().toUTCString(), ...headers };
    const block = encodeHeaderBlock(answerFields(status, dated), !this.#hasSentBlock);
    this.#hasSentBlock = true;
    const frameSizeMax = this.peerSettings.maxFrameSize;
    this.outbox.control(...headersFrames(stream.id, block, endsStream, frameSizeMax));
  }
}

const FAILURE: HttpAnswer = {
  status: 500,
  headers: { "content-type": "text/plain" },
  body: new TextEncoder().encode("internal error"),
};

async function sendBody(
  stream: Http2Stream,
  body: OutgoingBody,
  announcedSize: number | undefined,
): Promise<void> {
  if (body instanceof Uint8Array) {
    throwIfWrong(body.length, announcedSize);
    return await stream.send(body, true);
  }
  let size = 0;
  for await (const part of body) {
    size += part.length;
    if (announcedSize !== undefined && size > announcedSize) break;
    if (part.length > 0) await stream.send(part, false);
  }
  throwIfWrong(size, announcedSize);
  await stream.send(new Uint8Array(), true);
}

function throwIfWrong(size: number, announcedSize: number | undefined): void {
  if (announcedSize === undefined || size === announcedSize) return;
  throw new UsageError(`An answer of ${announcedSize} bytes was announced, and has ${size}`);
}

/** Nobody takes the body: what makes it may free what it holds. */
async function giveUp(body: OutgoingBody | undefined): Promise<void> {
  if (body === undefined || body instanceof Uint8Array) return;
  await body[Symbol.asyncIterator]().return?.();
}
