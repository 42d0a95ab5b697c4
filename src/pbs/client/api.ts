/**
 * A server, logged in to: calls of its REST interface, and connections that are turned over to the
 * protocols of backups.
 *
 * A ticket is renewed long before it ends, also while nobody calls: a mount may rest for a night.
 *
 * @module
 */

import { AuthError, type Failure, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { HttpCall, HttpClient, HttpHeaders, HttpResult } from "#src/net/http.ts";
import { Http1Client } from "#src/net/http1/client.ts";
import { limitRate, RateLimiter } from "#src/net/rate_limit.ts";
import { connectTls, peerName } from "#src/net/tls/connect.ts";
import { withBackoff } from "./backoff.ts";
import type {
  CallParameters,
  RestOptions,
  ServerPort,
  SessionKind,
} from "./network_thread/server_port.ts";
import { queryOf } from "./network_thread/session_client.ts";
import { serverFailure } from "./server_failure.ts";
import {
  isTokenLogin,
  parseTicket,
  type ServerLogin,
  type Ticket,
  ticketHeaders,
  tokenHeaders,
} from "./server_login.ts";

/** Bounds of time; those of the reference unless told. */
export interface ServerTimes {
  /** Until a connection stands; 10 s. */
  readonly connectTimeoutMs?: number | undefined;
  /** For an answer; 2 minutes. */
  readonly answerTimeoutMs?: number | undefined;
  /** After which a ticket is renewed; 15 minutes. */
  readonly renewalMs?: number | undefined;
  /** Between attempts. */
  readonly pausesMs?: readonly number[] | undefined;
}

/** How a connection speaks that was turned over to another protocol. */
export type SpeakHttp2 = (connection: Connection) => HttpClient;

const ANSWER_TIMEOUT_MS = 120_000;
const RENEWAL_MS = 900_000;
const ANSWER_SIZE_MAX = 32 << 20;
const FAILURE_SIZE_MAX = 64 << 10;
/** Connections that wait for the next call. */
const IDLE_MAX = 2;
/** The server may be about to close one that has waited longer. */
const FRESH_MS = 1_000;
const API_ROOT = "/api2/json/";
const USER_AGENT = "pbkfs";
/** Calls that change nothing more when they are made twice. */
const REPEATABLE: ReadonlySet<string> = new Set(["GET", "PUT"]);

/**
 * Logs in to a server.
 *
 * @throws {AuthError} when it does not know the user or the password; `certificate` when its
 *   certificate is not trusted
 * @throws {ProtocolError} when there is no way to it
 */
export async function connectServer(
  login: ServerLogin,
  speakHttp2: SpeakHttp2,
  times: ServerTimes = {},
): Promise<ServerApi> {
  const server = new ServerApi(login, speakHttp2, times);
  try {
    await server.logIn();
    return server;
  } catch (error) {
    server.close();
    throw error;
  }
}

/** A connection that waits for the next call. */
interface IdleClient {
  readonly client: Http1Client;
  readonly sinceMs: number;
}

/** See {@link connectServer}. */
export class ServerApi implements ServerPort {
  readonly name: string;
  readonly #login: ServerLogin;
  readonly #speakHttp2: SpeakHttp2;
  readonly #times: ServerTimes;
  readonly #limits: { readonly incoming: RateLimiter; readonly outgoing: RateLimiter } | undefined;
  readonly #idle: IdleClient[] = [];
  readonly #closing = new AbortController();
  #ticket: Ticket | undefined;
  #ticketMs = 0;
  #renewing: Promise<void> | undefined;
  #renewalTimer: ReturnType<typeof setInterval> | undefined;

  /** Use {@link connectServer}. */
  constructor(login: ServerLogin, speakHttp2: SpeakHttp2, times: ServerTimes) {
    this.name = `${login.authId}@${peerName(login.host, login.port)}`;
    this.#login = login;
    this.#speakHttp2 = speakHttp2;
    this.#times = times;
    const { rate } = login;
    this.#limits = rate && { incoming: new RateLimiter(rate), outgoing: new RateLimiter(rate) };
  }

  /** The ticket of the user who is logged in; undefined of an API token. */
  get ticket(): Ticket | undefined {
    return this.#ticket;
  }

  /** Gets a ticket; an API token only has to be believed by the first call. */
  async logIn(): Promise<void> {
    if (isTokenLogin(this.#login)) return;
    await this.#getTicket(this.#login.password);
    const renewalMs = this.#times.renewalMs ?? RENEWAL_MS;
    // More often than needed: what fails once is tried again before the ticket ends.
    this.#renewalTimer = setInterval(() => {
      if (Date.now() - this.#ticketMs >= renewalMs) void this.#renew().catch(() => {});
    }, Math.min(renewalMs, 60_000));
    Deno.unrefTimer(this.#renewalTimer as unknown as number);
  }

  async call(
    method: "GET" | "POST" | "PUT" | "DELETE",
    path: string,
    parameters: CallParameters,
    { signal, body }: Partial<RestOptions> = {},
  ): Promise<unknown> {
    const isJson = method === "POST" && body === undefined;
    const content = isJson ? new TextEncoder().encode(JSON.stringify(parameters)) : body;
    const request: Request = {
      method,
      target: API_ROOT + path + (isJson ? "" : queryOf(parameters)),
      type: isJson
        ? "application/json"
        : body === undefined
        ? "application/x-www-form-urlencoded"
        : "application/octet-stream",
      ...(content === undefined ? {} : { body: content }),
      signal,
    };
    return await this.#loggedIn(() => this.#send(request));
  }

  /**
   * Turns a connection over to a protocol. One that was lost meanwhile, or whose server is silent
   * for once, is followed by another: the server ends what it may have begun there.
   */
  async upgrade(
    kind: SessionKind,
    parameters: CallParameters,
    signal: AbortSignal,
  ): Promise<HttpClient> {
    return await this.#loggedIn(() =>
      withBackoff(async () => {
        const connection = await this.#connect(signal);
        try {
          return this.#speakHttp2(await this.#turnOver(connection, kind, parameters, signal));
        } catch (error) {
          connection.destroy();
          throw error;
        }
      }, this.#backoff(mayUpgradeAgain(), signal))
    );
  }

  close(): void {
    this.#closing.abort();
    clearInterval(this.#renewalTimer);
    for (const { client } of this.#idle.splice(0)) client.close();
  }

  /** Once more after a login, where the server has forgotten the ticket. */
  async #loggedIn<Result>(attempt: () => Promise<Result>): Promise<Result> {
    const used = this.#ticket;
    try {
      return await attempt();
    } catch (error) {
      const isForgotten = error instanceof AuthError && error.code === "auth";
      if (!isForgotten || used === undefined) throw error;
      if (this.#ticket === used) await this.#renew();
      return await attempt();
    }
  }

  /** A new ticket for the old one, or else for the password; callers share one attempt. */
  #renew(): Promise<void> {
    return this.#renewing ??= (async () => {
      try {
        await this.#getTicket(this.#ticket!.ticket).catch((error) => {
          if (error instanceof AuthError) return this.#getTicket(this.#login.password);
          throw error;
        });
      } finally {
        this.#renewing = undefined;
      }
    })();
  }

  async #getTicket(password: string): Promise<void> {
    const { authId } = this.#login;
    const beganMs = Date.now();
    const body = new TextEncoder().encode(JSON.stringify({ password, username: authId }));
    const request: Request = {
      method: "POST",
      target: `${API_ROOT}access/ticket`,
      type: "application/json",
      body,
      isRepeatable: true,
      isAnonymous: true,
    };
    try {
      this.#ticket = parseTicket(await this.#send(request), this.name);
      this.#ticketMs = beganMs;
    } catch (error) {
      if (!(error instanceof AuthError && error.code === "auth")) throw error;
      const peer = peerName(this.#login.host, this.#login.port);
      throw new AuthError(`Cannot log in to ${peer} as ${authId}: ${wordsOf(error, this.name)}`, {
        code: LOGIN_CODE,
        cause: error,
      });
    }
  }

  /** Makes one call, and again where that changes nothing and may help. */
  #send(request: Request): Promise<unknown> {
    const { method, signal } = request;
    const isRepeatable = request.isRepeatable ?? REPEATABLE.has(method);
    let hasBegun = false;
    return withBackoff(async () => {
      hasBegun = false;
      const client = await this.#client(isRepeatable, signal);
      hasBegun = true;
      try {
        return await this.#dataOf(await client.send(this.#httpCall(request)));
      } finally {
        this.#keep(client);
      }
    }, this.#backoff(() => isRepeatable || !hasBegun, signal));
  }

  async #dataOf({ status, body }: HttpResult): Promise<unknown> {
    if (status !== 200) {
      const text = new TextDecoder().decode(await body.bytes(FAILURE_SIZE_MAX));
      throw serverFailure(status, text, this.name);
    }
    const text = new TextDecoder().decode(await body.bytes(ANSWER_SIZE_MAX));
    try {
      return (JSON.parse(text) as { readonly data?: unknown }).data ?? null;
    } catch (cause) {
      throw new ProtocolError(`Cannot understand ${this.name}: its answer is not JSON`, { cause });
    }
  }

  #backoff(mayRepeat: (error: Failure) => boolean, signal: AbortSignal | undefined) {
    return {
      mayRepeat,
      pausesMs: this.#times.pausesMs,
      signal: signal === undefined
        ? this.#closing.signal
        : AbortSignal.any([signal, this.#closing.signal]),
    };
  }

  /** A connection for a call: one that waits, or a new one. */
  async #client(isRepeatable: boolean, signal: AbortSignal | undefined): Promise<Http1Client> {
    for (let idle = this.#idle.pop(); idle !== undefined; idle = this.#idle.pop()) {
      // What must not be made twice is not sent to where it may get lost without a word.
      const isFresh = isRepeatable || performance.now() - idle.sinceMs < FRESH_MS;
      if (idle.client.isUsable && isFresh) return idle.client;
      idle.client.close();
    }
    const { host, port } = this.#login;
    return new Http1Client(await this.#connect(signal), peerName(host, port));
  }

  #keep(client: Http1Client): void {
    const isWanted = this.#idle.length < IDLE_MAX && !this.#closing.signal.aborted;
    if (client.isUsable && isWanted) this.#idle.push({ client, sinceMs: performance.now() });
    else client.close();
  }

  async #connect(signal: AbortSignal | undefined): Promise<Connection> {
    const { host, port, fingerprint, authorities, proxy } = this.#login;
    const connection = await connectTls({
      host,
      port,
      trust: { fingerprint, authorities },
      proxy,
      timeoutMs: this.#times.connectTimeoutMs,
      signal: this.#backoff(() => false, signal).signal,
    });
    const limits = this.#limits;
    return limits === undefined
      ? connection
      : limitRate(connection, limits.incoming, limits.outgoing);
  }

  async #turnOver(
    connection: Connection,
    kind: SessionKind,
    parameters: CallParameters,
    signal: AbortSignal,
  ): Promise<Connection> {
    const { host, port } = this.#login;
    const client = new Http1Client(connection, peerName(host, port));
    const protocol = `proxmox-backup${kind === "reader" ? "-reader" : ""}-protocol-v1`;
    const result = await client.upgrade(
      this.#httpCall({
        method: "GET",
        target: API_ROOT + kind + queryOf(parameters),
        type: "application/x-www-form-urlencoded",
        signal,
      }),
      protocol,
    );
    if ("connection" in result) return result.connection;
    await this.#dataOf(result.answer);
    throw new ProtocolError(`${this.name} has answered without changing to ${protocol}`);
  }

  #httpCall({ method, target, type, body, signal, isAnonymous }: Request): HttpCall {
    const headers = { "user-agent": USER_AGENT, "content-type": type };
    return {
      method,
      target,
      headers: isAnonymous === true ? headers : { ...headers, ...this.#credentials() },
      timeoutMs: this.#times.answerTimeoutMs ?? ANSWER_TIMEOUT_MS,
      ...(body === undefined ? {} : { body }),
      ...(signal === undefined ? {} : { signal }),
    };
  }

  #credentials(): HttpHeaders {
    const { authId, password } = this.#login;
    return this.#ticket === undefined
      ? tokenHeaders(authId, password)
      : ticketHeaders(this.#ticket);
  }
}

/** Whether a failed upgrade may be tried once more, asked after each. */
function mayUpgradeAgain(): (error: Failure) => boolean {
  let wasLost = false;
  let wasSilent = false;
  return ({ code }) => {
    // The group is locked until the server has noticed the loss of a session that nobody uses.
    if (code === "locked") return wasLost;
    // To wait for another answer takes minutes.
    const isLost = code === "connection" || (code === "timeout" && !wasSilent);
    wasSilent ||= code === "timeout";
    wasLost ||= isLost;
    return isLost;
  };
}

/** Code of the error of a login that was refused: another password may do. */
export const LOGIN_CODE = "login";

/** A call as it is sent. */
interface Request {
  readonly method: string;
  readonly target: string;
  readonly type: string;
  readonly body?: Uint8Array<ArrayBuffer>;
  readonly signal?: AbortSignal | undefined;
  /** Where the method does not say it. */
  readonly isRepeatable?: boolean;
  /** Whether it is made without credentials. */
  readonly isAnonymous?: boolean;
}

/** The server's words, without its name before them. */
function wordsOf(error: AuthError, server: string): string {
  return error.message.startsWith(`${server}: `)
    ? error.message.slice(server.length + 2)
    : error.message;
}
