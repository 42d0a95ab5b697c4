/**
 * Connections to a TLS server, whose certificate is judged before a byte of the caller's is
 * written: by its fingerprint, or by authorities.
 *
 * @module
 */

import type { Socket } from "node:net";
import type { TLSSocket } from "node:tls";
import { AuthError, ProtocolError, StateError } from "#src/errors.ts";
import { type Connection, connectionLost } from "#src/net/connection.ts";
import type { CertificateAndKey } from "./certificate.ts";
import { parseFingerprint } from "./fingerprint.ts";
import { type Proxy, tunnel } from "./proxy.ts";
import { SocketConnection } from "./socket_connection.ts";

/** Which certificates are accepted: those with a fingerprint, those of an authority, or both. */
export interface Trust {
  /** See {@link parseFingerprint}. */
  readonly fingerprint?: string | undefined;
  /** Certificates of authorities (PEM, any number in each) who vouch for a host's name; or none. */
  readonly authorities: readonly string[];
}

/** Where to connect to, and how. */
export interface TlsTarget {
  /** Name or address, without brackets. */
  readonly host: string;
  readonly port: number;
  readonly trust: Trust;
  /** By which this end is known to servers that ask for a certificate. */
  readonly certificate?: CertificateAndKey | undefined;
  readonly proxy?: Proxy | undefined;
  /** For the whole way until certificates are judged; 10 s. */
  readonly timeoutMs?: number | undefined;
  readonly signal?: AbortSignal | undefined;
}

/** Code of the error of a server whose certificate nobody vouches for. */
export const CERTIFICATE_CODE = "certificate";

const CONNECT_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 120_000;
/** Each direction ends on its own; the runtime's types do not know that of TLS. */
const HALF_OPEN = { allowHalfOpen: true } as const;

/**
 * Connects to a server.
 *
 * @throws {AuthError} with code `certificate` and the fingerprint when the certificate is not
 *   accepted; nothing was written then
 * @throws {ProtocolError} when there is no way to the server, it does not speak TLS, or it takes
 *   longer than it may (`timeout`)
 * @throws {StateError} `interrupted` by the signal
 */
export async function connectTls(target: TlsTarget): Promise<Connection> {
  const peer = peerName(target.host, target.port);
  const attempt = new Attempt(peer, target.timeoutMs ?? CONNECT_TIMEOUT_MS, target.signal);
  try {
    return await attempt.run(() => handshake(target, peer, attempt));
  } catch (error) {
    attempt.abandon();
    throw error;
  }
}

/** `host:port`, with the brackets of IPv6 addresses. */
export function peerName(host: string, port: number): string {
  return `${host.includes(":") ? `[${host}]` : host}:${port}`;
}

/** What is begun on the way, and what ends it early. */
class Attempt {
  readonly #sockets: Socket[] = [];

  constructor(
    readonly peer: string,
    readonly timeoutMs: number,
    readonly signal: AbortSignal | undefined,
  ) {}

  /** Sockets that go when the attempt fails. */
  keep<Kind extends Socket>(socket: Kind): Kind {
    // A failure that nobody waits for, at any moment, must not end the process.
    socket.on("error", () => {});
    this.#sockets.push(socket);
    return socket;
  }

  abandon(): void {
    for (const socket of this.#sockets) socket.destroy();
  }

  /** Runs something within the time. */
  async run<Result>(work: () => Promise<Result>): Promise<Result> {
    const { signal, peer, timeoutMs } = this;
    let timer: ReturnType<typeof setTimeout> | undefined;
    let abort: (() => void) | undefined;
    const limit = new Promise<never>((_, reject) => {
      timer = setTimeout(() => {
        const message = `${peer} did not answer within ${timeoutMs / 1000} seconds`;
        reject(new ProtocolError(message, { code: "timeout", isTemporary: true }));
      }, timeoutMs);
      abort = () => reject(new StateError("interrupted", `Connecting to ${peer} was interrupted`));
      if (signal?.aborted === true) abort();
      signal?.addEventListener("abort", abort);
    });
    try {
      return await Promise.race([limit, work()]);
    } finally {
      clearTimeout(timer);
      signal?.removeEventListener("abort", abort!);
    }
  }
}

async function handshake(target: TlsTarget, peer: string, attempt: Attempt): Promise<Connection> {
  const { host, trust, certificate } = target;
  const tls = await import("node:tls");
  const net = await import("node:net");
  const via = target.proxy ?? target;
  const raw = attempt.keep(
    net.connect({ host: via.host, port: via.port, allowHalfOpen: true, autoSelectFamily: true }),
  );
  raw.setNoDelay(true);
  raw.setKeepAlive(true, KEEP_ALIVE_MS);
  await connected(raw, "connect", peerName(via.host, via.port));
  if (target.proxy !== undefined) await tunnel(raw, target.proxy, target);
  const socket = attempt.keep(tls.connect({
    socket: raw,
    // A bare address is no server name, but certificates are compared with it.
    ...(net.isIP(host) === 0 ? { servername: host } : {}),
    host,
    ...HALF_OPEN,
    // Judged below: what is not trusted has to be named, and may be pinned.
    rejectUnauthorized: false,
    ...(trust.authorities.length > 0 ? { ca: [...trust.authorities] } : {}),
    ...(certificate === undefined ? {} : { cert: certificate.certificate, key: certificate.key }),
  }));
  await connected(socket, "secureConnect", peer);
  const objection = judge(socket, target, tls.checkServerIdentity);
  if (objection !== undefined) throw objection;
  return new SocketConnection(socket, raw, peer);
}

function connected(socket: Socket, event: string, peer: string): Promise<void> {
  return new Promise((resolve, reject) => {
    const fail = (cause: Error) => finish(() => reject(connectionLost(peer, cause)));
    const close = () => fail(new Error("it was closed at once"));
    const succeed = () => finish(resolve);
    const finish = (settle: () => void) => {
      socket.off(event, succeed).off("error", fail).off("close", close).off("end", close);
      settle();
    };
    socket.on(event, succeed).on("error", fail).on("close", close).on("end", close);
  });
}

/** Why a server is not trusted, or undefined. */
function judge(
  socket: TLSSocket,
  { host, port, trust }: TlsTarget,
  checkServerIdentity: typeof import("node:tls").checkServerIdentity,
): Error | undefined {
  const peer = peerName(host, port);
  const certificate = socket.getPeerCertificate();
  if (certificate?.fingerprint256 === undefined) {
    return new ProtocolError(`${peer} has sent no certificate`);
  }
  const fingerprint = parseFingerprint(certificate.fingerprint256);
  if (trust.fingerprint !== undefined && parseFingerprint(trust.fingerprint) === fingerprint) {
    return undefined;
  }
  if (trust.authorities.length > 0 && socket.authorized && !socket.isSessionReused()) {
    const difference = checkServerIdentity(host, certificate);
    if (difference === undefined) return undefined;
  }
  const expectation = trust.fingerprint === undefined
    ? "is not trusted"
    : `is not the expected one, ${parseFingerprint(trust.fingerprint)}`;
  return new AuthError(
    `The certificate of ${peer} with fingerprint ${fingerprint} ${expectation}`,
    {
      code: CERTIFICATE_CODE,
      option: "fingerprint",
      fingerprint,
      hint: "Compare it with the fingerprint that the server's administrator names",
    },
  );
}
