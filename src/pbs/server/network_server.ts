/**
 * The server as a whole: listens, answers, counts, logs, and ends in order.
 *
 * @module
 */

import type { Connection } from "#src/net/connection.ts";
import type { HttpAnswer, HttpRequest } from "#src/net/http.ts";
import { serveHttp1 } from "#src/net/http1/server.ts";
import type { CertificateAndKey } from "#src/net/tls/certificate.ts";
import { listenTls, type TlsListener } from "#src/net/tls/listen.ts";
import type { SpawnThread } from "#src/threads/thread.ts";
import { currentSeconds } from "../clock.ts";
import { Authenticator, type LoginEvent } from "./access/authenticator.ts";
import { CurrentAccess } from "./access/current_access.ts";
import { LoginDelay } from "./access/login_delay.ts";
import { ticketKey, Tickets } from "./access/tickets.ts";
import { pathOf } from "./parameters.ts";
import { plainText } from "./refusal.ts";
import { DATASTORE_ROUTES } from "./rest/datastore_routes.ts";
import { formatMetrics, ServerCounts } from "./rest/metrics.ts";
import { NodeStatus } from "./rest/node_status.ts";
import { ACCESS_ROUTES } from "./rest/access_routes.ts";
import { NODE_ROUTES } from "./rest/node_routes.ts";
import { Router } from "./rest/routes.ts";
import type { ServerState } from "./rest/server_state.ts";
import { Tasks } from "./rest/tasks.ts";
import { SessionHost } from "./rest/session_host.ts";
import { UPGRADE_ROUTES } from "./rest/upgrade_routes.ts";
import { type ServedStoreOptions, StoreThreads } from "./served_store.ts";
import { TransferMemory } from "./transfer_memory.ts";

/** What a server serves, and where. */
export interface NetworkServerOptions {
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly certificate: CertificateAndKey;
  readonly stores: readonly ServedStoreOptions[];
  /** Folder of users, keys and tasks. */
  readonly folder: string;
  /** What clients are told; they ask what a server can do by it. */
  readonly version: string;
  /** Told of everything that happens. */
  readonly onEvent: (event: ServerEvent) => void;
  readonly spawn?: SpawnThread | undefined;
  /** See {@link LoginDelay}. */
  readonly loginDelayMs?: number | undefined;
}

/** What happens, for a log; never with a secret. */
export type ServerEvent =
  | {
    readonly event: "request";
    readonly peer: string;
    readonly method: string;
    /** Without the query: parameters may be anything. */
    readonly path: string;
    readonly status: number;
    readonly authId: string | undefined;
    readonly durationMs: number;
    readonly userAgent: string | undefined;
  }
  | { readonly event: "login" } & LoginEvent
  | { readonly event: "refused"; readonly peer: string; readonly reason: string }
  | { readonly event: "warning"; readonly message: string }
  | { readonly event: "failure"; readonly path: string; readonly error: unknown };

const ROUTER = new Router([
  ...NODE_ROUTES,
  ...ACCESS_ROUTES,
  ...DATASTORE_ROUTES,
  ...UPGRADE_ROUTES,
]);
const LOGGED_TEXT_MAX = 200;

/** A running server. */
export class NetworkServer {
  readonly #options: NetworkServerOptions;
  readonly #threads: StoreThreads;
  readonly #state: ServerState;
  readonly #counts = new ServerCounts();
  readonly #stopping = new AbortController();
  readonly #connections = new Set<Connection>();
  #listener: TlsListener | undefined;

  private constructor(options: NetworkServerOptions) {
    const { folder, onEvent, stores, version, spawn, loginDelayMs } = options;
    this.#options = options;
    this.#threads = new StoreThreads(spawn === undefined ? {} : { spawn });
    const access = new CurrentAccess(folder, (message) => onEvent({ event: "warning", message }));
    const tickets = new Tickets(
      ticketKey(folder),
      (user) => access.data.users.get(user),
      currentSeconds,
    );
    const authenticator = new Authenticator({
      access,
      tickets,
      delay: new LoginDelay(loginDelayMs),
      onLogin: (event) => {
        if (!event.isGood) this.#counts.failedLogins++;
        onEvent({ event: "login", ...event });
      },
    });
    this.#state = {
      version,
      stores: new Map(stores.map((store) => [store.name, this.#threads.serve(store)])),
      access,
      authenticator,
      tasks: new Tasks(`${folder}/tasks`),
      node: new NodeStatus(),
      memory: new TransferMemory().share(),
      sessions: new SessionHost((error) => onEvent({ event: "failure", path: "", error })),
    };
  }

  /** Starts to serve. @throws {Failure} when something of it cannot be used */
  static async start(options: NetworkServerOptions): Promise<NetworkServer> {
    const server = new NetworkServer(options);
    try {
      // What is no datastore is found out now, not by the first client.
      for (const store of server.#state.stores.values()) await store.call("storeStatus", false);
      await server.#listen();
    } catch (error) {
      await server.#threads.close();
      throw error;
    }
    return server;
  }

  /** As bound. */
  get port(): number {
    return this.#listener!.port;
  }

  /** As bound. */
  get host(): string {
    return this.#listener!.host;
  }

  /** Takes another certificate for new connections. @throws {UsageError} when it cannot be used */
  reload(certificate: CertificateAndKey): void {
    this.#listener!.reload(certificate);
  }

  /** What Prometheus is told. */
  metrics(): string {
    const { sessions, tasks, stores } = this.#state;
    return formatMetrics(this.#counts, {
      connections: this.#connections.size,
      backups: sessions.count("backup"),
      readers: sessions.count("reader"),
      tasks: tasks.runningCount,
      stores: stores.size,
    });
  }

  /**
   * Takes no more requests, waits for sessions, rolls back what is left of them, and ends. Rejects
   * never.
   *
   * @param graceMs how long running backups are waited for
   * @param atOnce ends the waiting
   */
  async stop(graceMs: number, atOnce: AbortSignal): Promise<void> {
    const { sessions, tasks } = this.#state;
    this.#stopping.abort();
    sessions.stop();
    const closed = this.#listener?.close();
    await Promise.race([sessions.idle(), elapsed(graceMs, atOnce)]);
    sessions.destroyAll();
    await sessions.idle();
    await tasks.close();
    for (const connection of this.#connections) connection.destroy();
    await closed;
    await this.#threads.close();
  }

  async #listen(): Promise<void> {
    const { host, port, certificate, onEvent } = this.#options;
    this.#listener = await listenTls({
      host,
      port,
      certificate,
      onConnection: (connection) => this.#serve(connection),
      onRefused: (peer, reason) => onEvent({ event: "refused", peer, reason }),
    });
  }

  #serve(connection: Connection): void {
    const { onEvent } = this.#options;
    this.#connections.add(connection);
    void connection.closed.then(() => this.#connections.delete(connection));
    void serveHttp1(connection, (request) => this.#answer(request), {
      stopping: this.#stopping.signal,
      onFailure: (error, { target }) =>
        onEvent({ event: "failure", path: shown(pathOf(target)), error }),
      onMalformed: (peer, status, reason) =>
        onEvent({ event: "refused", peer, reason: `${status}: ${reason}` }),
    });
  }

  async #answer(request: HttpRequest): Promise<HttpAnswer> {
    const start = performance.now();
    const { method, target, peer, headers } = request;
    const path = shown(pathOf(target));
    let answer: HttpAnswer;
    let authId: string | undefined;
    try {
      ({ answer, authId } = await ROUTER.answer(this.#state, request));
    } catch (error) {
      this.#options.onEvent({ event: "failure", path, error });
      answer = plainText(500, "internal error");
    }
    const { status } = answer;
    this.#counts.countRequest(status);
    this.#options.onEvent({
      event: "request",
      peer,
      method,
      path,
      status,
      authId,
      durationMs: Math.round(performance.now() - start),
      userAgent: headers["user-agent"] === undefined ? undefined : shown(headers["user-agent"]),
    });
    return answer;
  }
}

function shown(text: string): string {
  return text.slice(0, LOGGED_TEXT_MAX);
}

function elapsed(ms: number, atOnce: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (atOnce.aborted) return resolve();
    const timer = setTimeout(resolve, ms);
    atOnce.addEventListener("abort", () => {
      clearTimeout(timer);
      resolve();
    }, { once: true });
    // Whoever else ends the waiting need not wait for the timer.
    Deno.unrefTimer(timer);
  });
}
