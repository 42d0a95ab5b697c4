/**
 * A client of HTTP/2 over a connection that both ends know to speak it.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import type { Connection } from "../connection.ts";
import type { HttpCall, HttpClient, HttpResult } from "../http.ts";
import { checkTrailers, parseAnswerHead, requestFields } from "./fields.ts";
import { violation } from "./error_code.ts";
import { goAwayFrame, headersFrames, STREAM_ID_MAX } from "./frame.ts";
import type { HeaderList } from "./hpack_decoder.ts";
import { encodeHeaderBlock } from "./hpack_encoder.ts";
import { Session, type SessionLimits } from "./session.ts";
import { Http2Stream } from "./stream.ts";

/** What a client allows the server unless told. */
const CLIENT_LIMITS: SessionLimits = {
  streamWindowSize: 16 << 20,
  connectionWindowSize: 32 << 20,
  frameSizeMax: 4 << 20,
  headerListSizeMax: 64 << 10,
  headTimeoutMs: 30_000,
  keepAliveMs: 30_000,
  keepAliveTimeoutMs: 60_000,
};

/** Informational answers before the final one. */
const INFORMATIONAL_COUNT_MAX = 16;

/** A call whose answer has not begun. */
interface OpenCall {
  readonly method: string;
  readonly head: PromiseWithResolvers<HttpResult>;
  informationalCount: number;
}

/** Calls over one connection, as many at a time as the server allows; others wait their turn. */
export class Http2Client implements HttpClient {
  readonly closed: Promise<void>;
  readonly #session: ClientSession;

  /** Takes the connection over. */
  constructor(connection: Connection, limits: Partial<SessionLimits> = {}) {
    this.#session = new ClientSession(connection, { ...CLIENT_LIMITS, ...limits });
    this.closed = this.#session.settled.then(() => {});
  }

  /**
   * @throws {ProtocolError} when there is no whole head of an answer: `timeout`, `connection`, or
   * the name of a code of HTTP/2, such as `REFUSED_STREAM`
   * @throws {UsageError} for a call that HTTP cannot express
   */
  send(call: HttpCall): Promise<HttpResult> {
    return this.#session.send(call);
  }

  close(): void {
    this.#session.leave();
  }
}

class ClientSession extends Session {
  readonly #calls = new Map<Http2Stream, OpenCall>();
  readonly #waiting = new Set<() => void>();
  #nextId = 1;
  /** Set when no more streams can be opened. */
  #leaving: ProtocolError | undefined;

  constructor(connection: Connection, limits: SessionLimits) {
    super(connection, limits, "client", 0);
    void this.run();
  }

  async send(call: HttpCall): Promise<HttpResult> {
    const fields = requestFields(call.method, call.target, call.headers ?? {}, this.peer);
    if (call.signal?.aborted === true) throw interrupted(this.peer, call.signal);
    const start = performance.now();
    // Whoever was called may find that another one was faster.
    while (!this.#hasRoom) await this.#turn(call, start + call.timeoutMs - performance.now());
    const refusal = this.failure ?? this.#leaving;
    if (refusal !== undefined || this.hasEnded) throw refusal ?? closed(this.peer);

    const stream = new Http2Stream(
      this.#nextId,
      this,
      { send: this.peerSettings.initialWindowSize, receive: this.limits.streamWindowSize },
      call.timeoutMs,
      0,
    );
    const isFirst = this.#nextId === 1;
    this.#nextId += 2;
    if (this.#nextId > STREAM_ID_MAX) {
      this.#leaving = new ProtocolError(`${this.peer}: all streams of the connection are used`, {
        code: "connection",
        isTemporary: true,
      });
    }
    this.streams.set(stream.id, stream);
    const head = Promise.withResolvers<HttpResult>();
    this.#calls.set(stream, { method: call.method, head, informationalCount: 0 });
    const { signal } = call;
    const abort = () => this.resetStream(stream, interrupted(this.peer, signal!));
    signal?.addEventListener("abort", abort, { once: true });
    stream.onGone = () => {
      signal?.removeEventListener("abort", abort);
      const failure = stream.failure;
      if (failure !== undefined) head.reject(failure);
      this.#calls.delete(stream);
    };
    const body = call.body !== undefined && call.body.length > 0 ? call.body : undefined;
    const withLength = body === undefined && call.body === undefined || hasLength(fields)
      ? fields
      : [...fields, ["content-length", `${call.body!.length}`] as const];
    this.outbox.control(...headersFrames(
      stream.id,
      encodeHeaderBlock(withLength, isFirst),
      body === undefined,
      this.peerSettings.maxFrameSize,
    ));
    // What becomes of the body is known by the answer, or by the failure of the stream.
    if (body === undefined) stream.endSending();
    else stream.send(body, true).catch(() => {});
    stream.expectHead();
    return await head.promise;
  }

  leave(): void {
    this.end(undefined, goAwayFrame(0, "NO_ERROR", ""));
  }

  get #hasRoom(): boolean {
    return this.streams.size < this.peerSettings.maxConcurrentStreams || this.hasEnded ||
      this.#leaving !== undefined;
  }

  /** Waits until there may be room for one more stream. */
  async #turn({ timeoutMs, signal }: HttpCall, leftMs: number): Promise<void> {
    const { promise, resolve, reject } = Promise.withResolvers<void>();
    const timer = setTimeout(() => {
      const message = `${this.peer} has had no room for a request for ${timeoutMs / 1000} seconds`;
      reject(new ProtocolError(message, { code: "timeout", isTemporary: true }));
    }, leftMs);
    const abort = () => reject(interrupted(this.peer, signal!));
    signal?.addEventListener("abort", abort);
    this.#waiting.add(resolve);
    try {
      await promise;
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort);
      this.#waiting.delete(resolve);
    }
  }

  protected override onStreamGone(): void {
    let room = this.peerSettings.maxConcurrentStreams - this.streams.size;
    for (const resolve of this.#waiting) {
      if (room-- <= 0 && !this.hasEnded && this.#leaving === undefined) return;
      this.#waiting.delete(resolve);
      resolve();
    }
  }

  protected override isIdle(streamId: number): boolean {
    return streamId % 2 === 0 || streamId >= this.#nextId;
  }

  protected override get lastPeerStreamId(): number {
    return 0;
  }

  protected override onWatch(): void {}

  protected override onPeerLeaves(lastStreamId: number, error: ProtocolError): void {
    this.#leaving ??= error;
    for (const stream of [...this.streams.values()]) {
      if (stream.id > lastStreamId) this.resetStream(stream, notProcessed(this.peer, error));
    }
    this.onStreamGone();
    if (this.streams.size === 0) this.end(undefined);
  }

  protected override onFields(
    streamId: number,
    stream: Http2Stream | undefined,
    { fields, isTooLarge }: HeaderList,
    endsStream: boolean,
  ): void {
    if (this.isIdle(streamId)) {
      throw violation("PROTOCOL_ERROR", `an answer came on stream ${streamId}, which is not open`);
    }
    const call = stream && this.#calls.get(stream);
    if (stream === undefined || call === undefined) return;
    try {
      if (isTooLarge) throw violation("ENHANCE_YOUR_CALM", "the header of the answer is too large");
      if (stream.hasHead) {
        checkTrailers(fields);
        if (!endsStream) throw violation("PROTOCOL_ERROR", "two heads came for one answer");
        return stream.receiveEnd(call.method === "HEAD");
      }
      const { status, headers, contentLength } = parseAnswerHead(fields);
      if (status < 200) {
        if (endsStream || ++call.informationalCount > INFORMATIONAL_COUNT_MAX) {
          throw violation("PROTOCOL_ERROR", "informational answers without a final one");
        }
        return;
      }
      const hasNone = call.method === "HEAD" || status === 204 || status === 304;
      stream.receiveHead(hasNone ? undefined : contentLength);
      call.head.resolve({ status, headers, body: stream });
      if (endsStream) stream.receiveEnd();
    } catch (error) {
      this.resetStream(stream, error as ProtocolError);
    }
  }

  /** Nothing waits for the rest of a request that was answered. */
  override directionDone(stream: Http2Stream): void {
    if (stream.isReceiveDone && !stream.isSendDone) {
      stream.endSending();
      this.sendReset(stream.id, 0);
    }
    super.directionDone(stream);
  }
}

function hasLength(fields: readonly (readonly [string, string])[]): boolean {
  return fields.some(([name]) => name === "content-length");
}

function closed(peer: string): ProtocolError {
  return new ProtocolError(`The connection to ${peer} is closed`, {
    code: "connection",
    isTemporary: true,
  });
}

function notProcessed(peer: string, cause: ProtocolError): ProtocolError {
  return new ProtocolError(`${peer} did not look at the request: ${cause.message}`, {
    code: cause.code,
    isTemporary: true,
    cause,
  });
}

function interrupted(peer: string, signal: AbortSignal): ProtocolError {
  return new ProtocolError(`The request to ${peer} was interrupted`, {
    code: "CANCEL",
    cause: signal.reason,
  });
}
