/**
 * A client of HTTP/1.1 over one connection: a request after the other, and the upgrade to another
 * protocol.
 *
 * @module
 */

import { FormatError, LimitError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { within } from "#src/net/deadline.ts";
import type { HttpCall, HttpClient, HttpHeaders, HttpResult } from "#src/net/http.ts";
import {
  type BodyFraming,
  bodyFraming,
  formatHead,
  hasToken,
  type MessageHead,
  parseStatusLine,
} from "./head.ts";
import { MessageBody, MessageReader } from "./message_reader.ts";

/** Answers of status 1xx before the real one. */
const INTERIM_MAX = 8;
/** Of a body that nobody wants: read rather than connected anew. */
const DRAIN_SIZE_MAX = 65_536;
const NO_BODY: BodyFraming = { kind: "length", length: 0 };

/** What an upgrade came to: another protocol on the connection, or an answer. */
export type UpgradeResult =
  | { readonly connection: Connection }
  | { readonly answer: HttpResult };

/** Sends requests in turn. */
export class Http1Client implements HttpClient {
  readonly closed: Promise<void>;
  readonly #connection: Connection;
  readonly #host: string;
  readonly #reader: MessageReader;
  /** When the answer before is read. */
  #turn: Promise<void> = Promise.resolve();
  /** The request before: a server may have answered it early. */
  #written: Promise<void> = Promise.resolve();
  #isUsable = true;

  /** `host` is what the server is called in requests. */
  constructor(connection: Connection, host: string) {
    this.#connection = connection;
    this.#host = host;
    this.#reader = new MessageReader(connection);
    this.closed = connection.closed.then(() => void (this.#isUsable = false));
  }

  /** Whether another request may be sent: the server keeps the connection. */
  get isUsable(): boolean {
    return this.#isUsable;
  }

  async send(call: HttpCall): Promise<HttpResult> {
    const { head, status, finish } = await this.#exchange(call, call.headers ?? {});
    if (status === 101) {
      this.close();
      throw new ProtocolError(`${this.#connection.peer} changes the protocol without being asked`);
    }
    return this.#result(call, head, status, finish);
  }

  /**
   * Asks for another protocol. After a yes this client is done, and the connection is the caller's.
   *
   * @throws {ProtocolError} when there is no whole head of an answer
   */
  async upgrade(call: HttpCall, protocol: string): Promise<UpgradeResult> {
    const headers = { ...call.headers, connection: "upgrade", upgrade: protocol };
    const { head, status, finish } = await this.#exchange(call, headers);
    if (status !== 101) return { answer: this.#result(call, head, status, finish) };
    this.#isUsable = false;
    finish();
    if (head.headers["upgrade"]?.toLowerCase() !== protocol) {
      this.close();
      throw new ProtocolError(
        `${this.#connection.peer} has changed to a protocol nobody asked for`,
      );
    }
    return { connection: this.#connection };
  }

  close(): void {
    this.#isUsable = false;
    this.#connection.destroy();
  }

  async #exchange(
    call: HttpCall,
    headers: HttpHeaders,
  ): Promise<{ head: MessageHead; status: number; finish: () => void }> {
    const before = this.#turn;
    let finish!: () => void;
    this.#turn = new Promise((resolve) => finish = resolve);
    await before;
    await this.#written;
    try {
      if (!this.#isUsable) {
        const message = `${this.#connection.peer} has closed the connection`;
        throw new ProtocolError(message, { code: "connection", isTemporary: true });
      }
      const { body } = call;
      const needsLength = body !== undefined || call.method === "POST" || call.method === "PUT";
      const request = formatHead(`${call.method} ${call.target} HTTP/1.1`, {
        host: this.#host,
        ...headers,
        ...(needsLength ? { "content-length": String(body?.length ?? 0) } : {}),
      });
      const what = "has sent no answer";
      const { head, status } = await within(
        this.#connection,
        call.timeoutMs,
        what,
        () => this.#ask(body === undefined ? [request] : [request, body]),
        call.signal,
      );
      return { head, status, finish };
    } catch (error) {
      finish();
      this.close();
      if (!(error instanceof FormatError || error instanceof LimitError)) throw error;
      throw new ProtocolError(`${this.#connection.peer}: ${error.message}`, { cause: error });
    }
  }

  /** Writes while it reads: a server may answer before it has read a body to its end. */
  async #ask(
    parts: readonly Uint8Array<ArrayBuffer>[],
  ): Promise<{ head: MessageHead; status: number }> {
    const writing = this.#connection.write(parts);
    // Where it fails the answer, or its absence, says more.
    this.#written = writing.catch(() => {});
    for (let count = 0; count < INTERIM_MAX; count++) {
      const head = await this.#reader.head();
      if (head === undefined) {
        await writing;
        throw this.#reader.cut();
      }
      const status = parseStatusLine(head.startLine);
      if (status >= 200 || status === 101) return { head, status };
    }
    throw new LimitError("The server sends no final answer");
  }

  #result(call: HttpCall, head: MessageHead, status: number, finish: () => void): HttpResult {
    try {
      const hasBody = call.method !== "HEAD" && status !== 204 && status !== 304;
      const framing = hasBody ? bodyFraming(head.headers) : NO_BODY;
      if (framing === undefined) {
        // Nobody could say whether it is whole.
        throw new FormatError("The answer does not say where it ends");
      }
      if (hasToken(head.headers["connection"], "close")) this.#isUsable = false;
      const { timeoutMs, signal } = call;
      const body = new MessageBody(this.#reader, framing, { timeoutMs, signal });
      void body.settled
        .then((isWhole) => isWhole || body.drain(DRAIN_SIZE_MAX))
        .catch(() => false)
        .then((isWhole) => {
          if (!isWhole) this.close();
          else if (!this.#isUsable) this.#connection.end();
          finish();
        });
      return { status, headers: head.headers, body };
    } catch (error) {
      finish();
      this.close();
      const message = error instanceof Error ? error.message : String(error);
      throw new ProtocolError(`${this.#connection.peer}: ${message}`, { cause: error });
    }
  }
}
