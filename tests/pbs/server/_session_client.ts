/**
 * Requests to the handlers of sessions, without a network.
 *
 * @module
 */

import { LimitError } from "#src/errors.ts";
import type { HttpHandler, HttpHeaders, IncomingBody } from "#src/net/http.ts";
import type { HttpSession } from "#src/pbs/server/session.ts";

/** A request as tests write it. */
export interface TestCall {
  readonly body?: Uint8Array<ArrayBuffer> | string | object;
  readonly headers?: HttpHeaders;
  /** As the peer announces it; default: what there is. */
  readonly length?: number | undefined;
  readonly signal?: AbortSignal;
}

/** An answer with all of its body. */
export interface TestAnswer {
  readonly status: number;
  readonly headers: HttpHeaders;
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly text: string;
}

/** A body that is there at once. */
export class BytesBody implements IncomingBody {
  #rest: Uint8Array<ArrayBuffer>;

  constructor(bytes: Uint8Array<ArrayBuffer>, readonly length: number | undefined) {
    this.#rest = bytes;
  }

  read(): Promise<Uint8Array<ArrayBuffer> | undefined> {
    const part = this.#rest.subarray(0, 100_000);
    this.#rest = this.#rest.subarray(part.length);
    return Promise.resolve(part.length === 0 ? undefined : part);
  }

  bytes(sizeMax: number): Promise<Uint8Array<ArrayBuffer>> {
    if (this.#rest.length > sizeMax) return Promise.reject(new LimitError("too large"));
    const bytes = this.#rest;
    this.#rest = bytes.subarray(bytes.length);
    return Promise.resolve(bytes);
  }

  readInto(target: Uint8Array): Promise<number> {
    if (this.#rest.length > target.length) return Promise.reject(new LimitError("too large"));
    target.set(this.#rest);
    const { length } = this.#rest;
    this.#rest = this.#rest.subarray(length);
    return Promise.resolve(length);
  }

  discard(): void {
    this.#rest = this.#rest.subarray(this.#rest.length);
  }
}

/** Asks a handler, and reads the answer. */
export async function ask(
  handler: HttpHandler,
  method: string,
  target: string,
  call: TestCall = {},
): Promise<TestAnswer> {
  const { body, headers = {} } = call;
  const isJson = typeof body === "object" && !(body instanceof Uint8Array);
  const bytes = body instanceof Uint8Array
    ? body
    : new TextEncoder().encode(isJson ? JSON.stringify(body) : (body as string | undefined) ?? "");
  const answer = await handler({
    method,
    target,
    headers: isJson ? { "content-type": "application/json", ...headers } : headers,
    body: new BytesBody(bytes, "length" in call ? call.length : bytes.length),
    peer: "test:1",
    signal: call.signal ?? new AbortController().signal,
  });
  const parts: Uint8Array<ArrayBuffer>[] = [];
  if (answer.body instanceof Uint8Array) parts.push(answer.body);
  else if (answer.body !== undefined) {
    // A part is valid until the next one.
    for await (const part of answer.body) parts.push(part.slice());
  }
  const all = new Uint8Array(await new Blob(parts).arrayBuffer());
  const text = new TextDecoder().decode(all);
  return { status: answer.status, headers: answer.headers ?? {}, bytes: all, text };
}

/** `status text`, for comparison with recorded answers. */
export async function said(
  session: Pick<HttpSession, "handler">,
  method: string,
  target: string,
  call: TestCall = {},
): Promise<string> {
  const { status, text } = await ask(session.handler, method, target, call);
  return `${status} ${text}`;
}

/** The data of an answer with status 200. */
export async function data(
  session: Pick<HttpSession, "handler">,
  method: string,
  target: string,
  call: TestCall = {},
): Promise<unknown> {
  const { status, text } = await ask(session.handler, method, target, call);
  if (status !== 200) throw new Error(`${method} ${target}: ${status} ${text}`);
  return JSON.parse(text).data;
}
