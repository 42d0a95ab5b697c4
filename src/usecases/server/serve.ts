/**
 * The life of a server, from its start to the end that a signal asks for.
 *
 * @module
 */

import { Failure, ProtocolError, toRecord } from "#src/errors.ts";
import { fingerprintOfPem } from "#src/net/tls/certificate.ts";
import { NetworkServer, type ServerEvent } from "#src/pbs/server/network_server.ts";
import { spawnThread } from "../threads.ts";
import { serverCertificate } from "./certificate_files.ts";
import type { ListenAddress, ServerSettings } from "./server_settings.ts";

/**
 * What clients are told: the release whose interface this is. They ask for it before they use what
 * older servers lack.
 */
const INTERFACE_VERSION = "3.2.4";

/** Who is told what happens. */
export interface ServeOutput {
  /** When it serves. */
  onReady(started: StartedServer): void;
  /** A line of the access log. */
  accessLine(line: string): void;
  /** For people. */
  notice(message: string): void;
}

/** A server that has started. */
export interface StartedServer {
  /** `host:port`, as bound. */
  readonly address: string;
  readonly fingerprint: string;
  /** As bound; undefined without metrics. */
  readonly metricsAddress: string | undefined;
}

/** Serves until SIGTERM or SIGINT; SIGHUP reads the certificate again. @throws {Failure} */
export async function serve(
  settings: ServerSettings,
  output: ServeOutput,
): Promise<void> {
  const certificate = await serverCertificate(settings);
  const server = await NetworkServer.start({
    ...settings.listen,
    certificate,
    stores: settings.stores,
    folder: settings.folder,
    version: INTERFACE_VERSION,
    spawn: spawnThread,
    onEvent: (event) => output.accessLine(formatEvent(event)),
  });
  const metrics = await startMetrics(settings.metrics, server);
  const signals = new ServerSignals(() => void reload(settings, server, output));
  output.onReady({
    address: addressText(server.host, server.port),
    fingerprint: await fingerprintOfPem(certificate.certificate),
    metricsAddress: metrics && addressText(metrics.addr.hostname, metrics.addr.port),
  });
  await signals.first;
  output.notice("stopping: waiting for running backups; a second signal ends them");
  await server.stop(settings.graceSeconds * 1000, signals.second);
  await metrics?.shutdown();
  signals.close();
}

async function reload(
  settings: ServerSettings,
  server: NetworkServer,
  output: ServeOutput,
): Promise<void> {
  try {
    const certificate = await serverCertificate(settings);
    server.reload(certificate);
    output.notice(`certificate read again: ${await fingerprintOfPem(certificate.certificate)}`);
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    output.notice(`certificate not changed: ${error.message}`);
  }
}

/** The signals of a server. */
class ServerSignals {
  /** Resolves with the first that asks it to end. */
  readonly first: Promise<void>;
  /** Aborted by the second. */
  readonly second: AbortSignal;
  readonly #onEnd: () => void;
  readonly #onReload: () => void;

  constructor(onReload: () => void) {
    const { promise, resolve } = Promise.withResolvers<void>();
    const second = new AbortController();
    let count = 0;
    this.first = promise;
    this.second = second.signal;
    this.#onReload = onReload;
    this.#onEnd = () => {
      if (++count > 1) second.abort();
      resolve();
    };
    Deno.addSignalListener("SIGTERM", this.#onEnd);
    Deno.addSignalListener("SIGINT", this.#onEnd);
    Deno.addSignalListener("SIGHUP", this.#onReload);
  }

  close(): void {
    Deno.removeSignalListener("SIGTERM", this.#onEnd);
    Deno.removeSignalListener("SIGINT", this.#onEnd);
    Deno.removeSignalListener("SIGHUP", this.#onReload);
  }
}

/** @throws {ProtocolError} when the address cannot be listened on; the server has ended then */
async function startMetrics(address: ListenAddress | undefined, server: NetworkServer) {
  try {
    return address && serveMetrics(address, server);
  } catch (cause) {
    await server.stop(0, AbortSignal.abort());
    const reason = cause instanceof Error ? cause.message : String(cause);
    const place = addressText(address!.host, address!.port);
    throw new ProtocolError(`Cannot listen on ${place} for metrics: ${reason}`, { cause });
  }
}

function serveMetrics({ host, port }: ListenAddress, server: NetworkServer) {
  return Deno.serve({ hostname: host, port, onListen() {} }, (request) => {
    if (request.method !== "GET" || new URL(request.url).pathname !== "/metrics") {
      return new Response("not found\n", { status: 404 });
    }
    return new Response(server.metrics(), {
      headers: { "content-type": "text/plain; version=0.0.4" },
    });
  });
}

function addressText(host: string, port: number): string {
  return host.includes(":") ? `[${host}]:${port}` : `${host}:${port}`;
}

/** An event as a line of JSON. */
function formatEvent(event: ServerEvent): string {
  const time = new Date().toISOString();
  if (event.event !== "failure") return `${JSON.stringify({ time, ...event })}\n`;
  const { code, message } = toRecord(event.error);
  return `${JSON.stringify({ time, event: event.event, path: event.path, code, message })}\n`;
}
