/**
 * A server of HTTP/1.1 on one connection: a request after the other in their order, each with a
 * bound on its size and its time, until the connection ends or changes to another protocol.
 *
 * @module
 */

import { FormatError, LimitError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { within } from "#src/net/deadline.ts";
import type { HttpAnswer, HttpHandler, HttpHeaders, HttpRequest } from "#src/net/http.ts";
import {
  bodyFraming,
  formatHead,
  hasToken,
  type MessageHead,
  parseRequestLine,
  type RequestLine,
} from "./head.ts";
import { MessageBody, MessageReader } from "./message_reader.ts";

/** Bounds of a connection, and who is told of what goes wrong. */
export interface Http1ServerOptions {
  /** Between requests; 60 s. */
  readonly idleTimeoutMs?: number | undefined;
  /** From the first byte of a request to the end of its head; 20 s. */
  readonly headTimeoutMs?: number | undefined;
  /** Between two parts of a body; 30 s. */
  readonly bodyTimeoutMs?: number | undefined;
  /** For a whole body, however it drips; 15 minutes. */
  readonly bodyTotalTimeoutMs?: number | undefined;
  /** No further request is taken once it is aborted; one under way is answered. */
  readonly stopping?: AbortSignal | undefined;
  /** Told of what a handler has thrown. */
  readonly onFailure?: ((error: unknown, request: HttpRequest) => void) | undefined;
  /** Told of requests that could not be understood, and of the status they got. */
  readonly onMalformed?: ((peer: string, status: number, reason: string) => void) | undefined;
}

const IDLE_TIMEOUT_MS = 60_000;
const HEAD_TIMEOUT_MS = 20_000;
const BODY_TIMEOUT_MS = 30_000;
const BODY_TOTAL_TIMEOUT_MS = 900_000;
/** After so many the connection is closed. */
const REQUESTS_MAX = 10_000;
/** Of a body that the handler did not read. */
const DRAIN_SIZE_MAX = 262_144;
/** After an answer that ends the connection, for the peer to read it. */
const FAREWELL_MS = 2_000;

const REASONS: Readonly<Record<number, string>> = {
  100: "Continue",
  101: "Switching Protocols",
  200: "OK",
  204: "No Content",
  301: "Moved Permanently",
  304: "Not Modified",
  400: "Bad Request",
  401: "Unauthorized",
  403: "Forbidden",
  404: "Not Found",
  408: "Request Timeout",
  413: "Content Too Large",
  417: "Expectation Failed",
  429: "Too Many Requests",
  431: "Request Header Fields Too Large",
  500: "Internal Server Error",
  501: "Not Implemented",
  503: "Service Unavailable",
  505: "HTTP Version Not Supported",
};
const CONTINUE = new TextEncoder().encode("HTTP/1.1 100 Continue\r\n\r\n");
const TEXT_TYPE = "text/plain; charset=utf-8";

/** A request that gets this answer, and ends the connection. */
class Refusal extends Error {
  constructor(readonly status: number, message: string) {
    super(message);
  }
}

/**
 * Answers the requests of a connection. Resolves when it is over, or when it has been handed to
 * another protocol; never rejects.
 */
export async function serveHttp1(
  connection: Connection,
  handler: HttpHandler,
  options: Http1ServerOptions = {},
): Promise<void> {
  const server = new ServedConnection(connection, handler, options);
  try {
    if (await server.serve() === "upgraded") return;
  } catch {
    // The peer is gone, or too slow: there is nobody to tell.
  }
  connection.destroy();
}

/** One request, and what was decided about the connection behind it. */
type Outcome = "next" | "last" | "upgraded";

class ServedConnection {
  readonly #connection: Connection;
  readonly #handler: HttpHandler;
  readonly #options: Http1ServerOptions;
  readonly #reader: MessageReader;
  readonly #gone = new AbortController();
  /** For the whole body that is being read. */
  #bodyTimer: ReturnType<typeof setTimeout> | undefined;
  #hasContinued = false;

  constructor(connection: Connection, handler: HttpHandler, options: Http1ServerOptions) {
    this.#connection = connection;
    this.#handler = handler;
    this.#options = options;
    this.#reader = new MessageReader(connection);
    void connection.closed.then(() => {
      clearTimeout(this.#bodyTimer);
      this.#gone.abort();
    });
  }

  async serve(): Promise<"ended" | "upgraded"> {
    for (let count = 1; await this.#hasNext(); count++) {
      const outcome = await this.#answerNext(count < REQUESTS_MAX);
      if (outcome === "upgraded") return outcome;
      if (outcome === "next") continue;
      await this.#farewell();
      break;
    }
    return "ended";
  }

  /** Waits for the first byte of a request. */
  async #hasNext(): Promise<boolean> {
    const { stopping, idleTimeoutMs = IDLE_TIMEOUT_MS } = this.#options;
    const part = await within(
      this.#connection,
      idleTimeoutMs,
      "has sent no request",
      () => this.#connection.read(),
      stopping,
    );
    if (part === undefined) return false;
    this.#connection.unread(part);
    return true;
  }

  async #answerNext(mayStay: boolean): Promise<Outcome> {
    let line: RequestLine;
    let head: MessageHead;
    let body: MessageBody;
    try {
      head = await this.#head();
      line = parseRequestLine(head.startLine);
      checkHead(line, head.headers);
      body = this.#body(head.headers);
    } catch (error) {
      const refusal = refusalOf(error);
      if (refusal === undefined) throw error;
      const { status, message } = refusal;
      this.#options.onMalformed?.(this.#connection.peer, status, message);
      await this.#write({ status, ...textBody(message) }, { hasBody: true, mayStay: false });
      return "last";
    }
    const request: HttpRequest = {
      method: line.method,
      target: line.target,
      headers: head.headers,
      body,
      peer: this.#connection.peer,
      signal: this.#gone.signal,
    };
    const answer = await this.#ask(request);
    if (answer.status === 101 && answer.upgrade !== undefined) return this.#upgrade(answer, body);
    // Whether the rest of the body is worth reading is known before the head is written.
    const isClean = await body.drain(this.#mustSend(head.headers) ? -1 : DRAIN_SIZE_MAX);
    const wantsToStay = line.minorVersion >= 1
      ? !hasToken(head.headers["connection"], "close")
      : hasToken(head.headers["connection"], "keep-alive");
    const isStopping = this.#options.stopping?.aborted === true;
    const stays = mayStay && isClean && wantsToStay && !isStopping;
    const hasBody = line.method !== "HEAD";
    const isSent = await this.#write(answer, {
      hasBody,
      mayStay: stays,
      isOld: line.minorVersion === 0,
    });
    return stays && isSent ? "next" : "last";
  }

  #head(): Promise<MessageHead> {
    const { headTimeoutMs = HEAD_TIMEOUT_MS } = this.#options;
    return within(this.#connection, headTimeoutMs, "has sent no whole request", async () => {
      const head = await this.#reader.head();
      if (head === undefined) throw this.#reader.cut();
      return head;
    });
  }

  #body(headers: HttpHeaders): MessageBody {
    const framing = bodyFraming(headers) ?? { kind: "length", length: 0 };
    const { bodyTimeoutMs = BODY_TIMEOUT_MS } = this.#options;
    const { bodyTotalTimeoutMs = BODY_TOTAL_TIMEOUT_MS } = this.#options;
    const body = new MessageBody(this.#reader, framing, {
      timeoutMs: bodyTimeoutMs,
      onStart: async () => {
        this.#bodyTimer = setTimeout(() => this.#connection.destroy(), bodyTotalTimeoutMs);
        if (headers["expect"] === undefined) return;
        this.#hasContinued = true;
        await this.#connection.write([CONTINUE]);
      },
    });
    this.#hasContinued = false;
    void body.settled.then(() => clearTimeout(this.#bodyTimer));
    return body;
  }

  /** Whether the peer waits for our word before it sends the body. */
  #mustSend(headers: HttpHeaders): boolean {
    return headers["expect"] !== undefined && !this.#hasContinued;
  }

  async #ask(request: HttpRequest): Promise<HttpAnswer> {
    try {
      return await this.#handler(request);
    } catch (error) {
      this.#options.onFailure?.(error, request);
      return { status: 500, ...textBody("internal error") };
    }
  }

  async #upgrade(answer: HttpAnswer, body: MessageBody): Promise<Outcome> {
    if (!await body.drain(DRAIN_SIZE_MAX)) return "last";
    const headers = { ...answer.headers, connection: "upgrade", date: new Date().toUTCString() };
    await this.#connection.write([formatHead(`HTTP/1.1 101 ${REASONS[101]}`, headers)]);
    answer.upgrade!(this.#connection);
    return "upgraded";
  }

  /** Writes an answer; false when its body had no proper end and the connection must go. */
  async #write(
    answer: HttpAnswer,
    how: { readonly hasBody: boolean; readonly mayStay: boolean; readonly isOld?: boolean },
  ): Promise<boolean> {
    const { status, body } = answer;
    const isWhole = body === undefined || body instanceof Uint8Array;
    const mayHaveBody = status >= 200 && status !== 204 && status !== 304;
    // Old clients know no chunks: the end of the connection has to do.
    const isChunked = !isWhole && how.isOld !== true;
    const stays = how.mayStay && (isWhole || isChunked);
    const head = formatHead(`HTTP/1.1 ${status} ${REASONS[status] ?? "Status"}`, {
      ...answer.headers,
      date: new Date().toUTCString(),
      ...(!mayHaveBody
        ? {}
        : isWhole
        ? { "content-length": String(body?.length ?? 0) }
        : isChunked
        ? { "transfer-encoding": "chunked" }
        : {}),
      connection: stays ? "keep-alive" : "close",
    });
    const hasBody = how.hasBody && mayHaveBody && body !== undefined;
    if (!hasBody || isWhole) {
      await this.#connection.write(hasBody && isWhole ? [head, body] : [head]);
      return stays;
    }
    await this.#connection.write([head]);
    for await (const part of body) {
      if (part.length === 0) continue;
      await this.#connection.write(isChunked ? chunkOf(part) : [part]);
    }
    if (isChunked) await this.#connection.write([LAST_CHUNK]);
    return stays;
  }

  /** Lets the peer read the answer: what is closed with unread bytes takes it along. */
  async #farewell(): Promise<void> {
    const connection = this.#connection;
    connection.end();
    const timer = setTimeout(() => connection.destroy(), FAREWELL_MS);
    try {
      let left = DRAIN_SIZE_MAX;
      for (let part = await connection.read(); part && left > 0; part = await connection.read()) {
        left -= part.length;
      }
    } finally {
      clearTimeout(timer);
    }
  }
}

const LINE_END = new TextEncoder().encode("\r\n");
const LAST_CHUNK = new TextEncoder().encode("0\r\n\r\n");

function chunkOf(part: Uint8Array<ArrayBuffer>): Uint8Array<ArrayBuffer>[] {
  return [new TextEncoder().encode(`${part.length.toString(16)}\r\n`), part, LINE_END];
}

function textBody(text: string): Pick<HttpAnswer, "headers" | "body"> {
  return { headers: { "content-type": TEXT_TYPE }, body: new TextEncoder().encode(text) };
}

function checkHead(line: RequestLine, headers: HttpHeaders): void {
  if (line.minorVersion > 1) throw new Refusal(505, "Only HTTP/1.1 and 1.0 are spoken here");
  if (line.minorVersion === 1 && headers["host"] === undefined) {
    throw new Refusal(400, "The request names no host");
  }
  if (line.minorVersion === 0 && headers["transfer-encoding"] !== undefined) {
    throw new Refusal(400, "A request of HTTP/1.0 has no transfer encoding");
  }
  const expectation = headers["expect"];
  if (expectation !== undefined && expectation.toLowerCase() !== "100-continue") {
    throw new Refusal(417, "The request expects what is not known here");
  }
}

/** What a peer is told whose request cannot be understood; undefined when it is gone. */
function refusalOf(error: unknown): Refusal | undefined {
  if (error instanceof Refusal) return error;
  if (error instanceof LimitError) return new Refusal(431, error.message);
  return error instanceof FormatError ? new Refusal(400, error.message) : undefined;
}
