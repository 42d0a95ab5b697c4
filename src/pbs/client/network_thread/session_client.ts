/**
 * Calls of a session, over the HTTP/2 connection that it has.
 *
 * @module
 */

import { ProtocolError } from "#src/errors.ts";
import type { HttpCall, HttpClient, HttpHeaders, HttpResult, IncomingBody } from "#src/net/http.ts";
import { serverFailure } from "../server_failure.ts";
import type { CallParameters } from "./server_port.ts";

/** For a server that is busy with other clients, or syncs its disks. */
const ANSWER_TIMEOUT_MS = 120_000;
/** The answer to a call is a number, a digest or a short list. */
const ANSWER_SIZE_MAX = 1 << 20;
const FAILURE_SIZE_MAX = 64 << 10;
const USER_AGENT = "pbkfs";

/** What goes with a call besides its parameters. */
export interface SessionCallOptions {
  readonly signal?: AbortSignal | undefined;
  /** Sent as it is. */
  readonly body?: Uint8Array<ArrayBuffer>;
  /** Sent as JSON, in place of parameters. */
  readonly json?: unknown;
  /** For the head of the answer and between its parts. Default: 120,000. */
  readonly timeoutMs?: number;
}

/** The client's end of a session. */
export class SessionClient {
  readonly #client: HttpClient;
  /** What messages call the server. */
  readonly peer: string;

  constructor(client: HttpClient, peer: string) {
    this.#client = client;
    this.peer = peer;
  }

  /** Resolves when the connection is gone. */
  get closed(): Promise<void> {
    return this.#client.closed;
  }

  /** Ends the connection. */
  close(): void {
    this.#client.close();
  }

  /**
   * Makes a call.
   *
   * @returns `data` of the answer
   * @throws {ProtocolError} temporary where the connection broke
   * @throws what {@link serverFailure} makes of a refusal
   */
  async call(
    method: string,
    path: string,
    parameters: CallParameters = {},
    options: SessionCallOptions = {},
  ): Promise<unknown> {
    const { body } = await this.#send(method, path, parameters, options);
    const text = new TextDecoder().decode(await body.bytes(ANSWER_SIZE_MAX));
    try {
      return (JSON.parse(text) as { readonly data?: unknown }).data ?? null;
    } catch (cause) {
      throw new ProtocolError(`Cannot understand ${this.peer}: its answer to ${path} is not JSON`, {
        cause,
      });
    }
  }

  /** Makes a call whose answer is bytes. @throws as {@link call} */
  async download(
    path: string,
    parameters: CallParameters,
    signal?: AbortSignal,
  ): Promise<IncomingBody> {
    return (await this.#send("GET", path, parameters, { signal })).body;
  }

  async #send(
    method: string,
    path: string,
    parameters: CallParameters,
    { signal, body, json, timeoutMs = ANSWER_TIMEOUT_MS }: SessionCallOptions,
  ): Promise<HttpResult> {
    const content = json === undefined ? body : new TextEncoder().encode(JSON.stringify(json));
    const call: HttpCall = {
      method,
      target: `${path}${queryOf(parameters)}`,
      headers: headersFor(body !== undefined, json !== undefined),
      ...content === undefined ? {} : { body: content },
      timeoutMs,
      ...signal === undefined ? {} : { signal },
    };
    const result = await this.#client.send(call);
    if (result.status === 200) return result;
    const text = new TextDecoder().decode(await result.body.bytes(FAILURE_SIZE_MAX));
    throw serverFailure(result.status, text, this.peer);
  }
}

/** Parameters in the order of their names, as the real client sends them. */
export function queryOf(parameters: CallParameters): string {
  const parts = Object.entries(parameters)
    .filter(([, value]) => value !== undefined)
    .toSorted(([a], [b]) => a < b ? -1 : 1)
    .map(([name, value]) => `${name}=${encodeURIComponent(value!)}`);
  return parts.length === 0 ? "" : `?${parts.join("&")}`;
}

function headersFor(hasBody: boolean, isJson: boolean): HttpHeaders {
  const type = isJson
    ? "application/json"
    : hasBody
    ? "application/octet-stream"
    : "application/x-www-form-urlencoded";
  return { "user-agent": USER_AGENT, "content-type": type };
}
