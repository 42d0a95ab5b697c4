/**
 * Requests and answers, whichever version of HTTP carries them.
 *
 * @module
 */

import type { Connection } from "./connection.ts";

/** Header fields by lower-case name. Values of a field that came twice are joined by ", ". */
export type HttpHeaders = Readonly<Record<string, string>>;

/** A body as it comes in. It must be read to its end or discarded. */
export interface IncomingBody {
  /** As the peer announced it; undefined where it did not. */
  readonly length: number | undefined;
  /**
   * The next part; undefined at the end, when length and end mark of the protocol were found right.
   *
   * @throws {ProtocolError} when it is cut, longer or shorter than announced, reset, or timed out
   */
  read(): Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * The whole body.
   *
   * @throws {LimitError} when it has more than `sizeMax` bytes
   * @throws {ProtocolError} see {@link read}
   */
  bytes(sizeMax: number): Promise<Uint8Array<ArrayBuffer>>;
  /**
   * The whole body of a known size, put into memory of the caller's.
   *
   * @returns bytes read, at most `target.length`
   * @throws {LimitError} when it does not fit
   * @throws {ProtocolError} see {@link read}
   */
  readInto(target: Uint8Array): Promise<number>;
  /** Nobody wants the rest. */
  discard(): void;
}

/** A body as it goes out: all at once, or in parts. */
export type OutgoingBody = Uint8Array<ArrayBuffer> | AsyncIterable<Uint8Array<ArrayBuffer>>;

/** A request as the server gets it. */
export interface HttpRequest {
  readonly method: string;
  /** Path and query as they came, not decoded. */
  readonly target: string;
  readonly headers: HttpHeaders;
  readonly body: IncomingBody;
  /** Who asks, as `host:port`. */
  readonly peer: string;
  /** Aborted when nobody waits for the answer any more. */
  readonly signal: AbortSignal;
}

/** What the server answers. */
export interface HttpAnswer {
  readonly status: number;
  readonly headers?: HttpHeaders;
  readonly body?: OutgoingBody;
  /** With status 101: who has the connection from then on. HTTP/1.1 only. */
  readonly upgrade?: (connection: Connection) => void;
}

/** Answers one request. What it throws is answered with status 500, and a log entry. */
export type HttpHandler = (request: HttpRequest) => Promise<HttpAnswer>;

/** A request as a client makes it. */
export interface HttpCall {
  readonly method: string;
  /** Path and query, encoded. */
  readonly target: string;
  readonly headers?: HttpHeaders;
  readonly body?: Uint8Array<ArrayBuffer>;
  /** For the head of the answer, and between any two parts of its body. */
  readonly timeoutMs: number;
  readonly signal?: AbortSignal;
}

/** The answer as a client gets it. Any status is an answer. */
export interface HttpResult {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly body: IncomingBody;
}

/** Where requests are sent. Several may be under way where the version of HTTP allows it. */
export interface HttpClient {
  /** @throws {ProtocolError} when there is no whole head of an answer */
  send(call: HttpCall): Promise<HttpResult>;
  /** Ends the connection; pending calls fail. */
  close(): void;
  /** Resolves when the connection is gone; never rejects. */
  readonly closed: Promise<void>;
}
