/**
 * Accepts TLS connections: with a bound on their number, and on the time until TLS is agreed on.
 * Who speaks plain HTTP instead is told where to go.
 *
 * @module
 */

import type { Server, Socket } from "node:net";
import type { TLSSocket, TLSSocketOptions } from "node:tls";
import { ProtocolError, UsageError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { peerName } from "./connect.ts";
import type { CertificateAndKey } from "./certificate.ts";
import { parseFingerprint } from "./fingerprint.ts";
import { SocketConnection } from "./socket_connection.ts";

/** Where to listen, and for whom. */
export interface TlsListenOptions {
  /** Address or name to listen on, without brackets. */
  readonly host: string;
  /** 0 for any free one. */
  readonly port: number;
  readonly certificate: CertificateAndKey;
  /**
   * Gets each connection once TLS is agreed on.
   *
   * @param fingerprint of the peer's certificate, whose key it has proved to have; undefined when
   *   it has none, or was not asked
   */
  readonly onConnection: (connection: Connection, fingerprint?: string | undefined) => void;
  /** Whether peers are asked for a certificate. Who may connect is the caller's to say. */
  readonly asksForCertificate?: boolean | undefined;
  /** Told of each connection that came to nothing, for the log. */
  readonly onRefused?: ((peer: string, reason: string) => void) | undefined;
  /** Those above it are closed at once; 512. */
  readonly connectionsMax?: number | undefined;
  /** 10 s. */
  readonly handshakeTimeoutMs?: number | undefined;
}

/** A listener. */
export interface TlsListener {
  /** As bound. */
  readonly host: string;
  readonly port: number;
  /** How many connections there are, those without TLS yet included. */
  readonly connectionCount: number;
  /**
   * Takes another certificate, for connections from now on.
   *
   * @throws {UsageError} when it does not fit its key; the old one stays
   */
  reload(certificate: CertificateAndKey): void;
  /** Accepts no more; connections that are there stay. */
  close(): Promise<void>;
}

const CONNECTIONS_MAX = 512;
const HANDSHAKE_TIMEOUT_MS = 10_000;
const KEEP_ALIVE_MS = 120_000;
/** First byte of a TLS record with a handshake. */
const HANDSHAKE_RECORD = 0x16;
const PLAIN_HEAD_SIZE_MAX = 8_192;
/** Each direction ends on its own; the runtime's types do not know that of TLS. */
const HALF_OPEN = { allowHalfOpen: true } as const;

/**
 * Starts to listen.
 *
 * @throws {UsageError} when the certificate does not fit its key
 * @throws {ProtocolError} when the address cannot be listened on
 */
export async function listenTls(options: TlsListenOptions): Promise<TlsListener> {
  const net = await import("node:net");
  const tls = await import("node:tls");
  const { X509Certificate, createPrivateKey } = await import("node:crypto");
  const secure = (pair: CertificateAndKey) => {
    try {
      // The runtime would find out with the first connection.
      if (!new X509Certificate(pair.certificate).checkPrivateKey(createPrivateKey(pair.key))) {
        throw new Error("they do not belong together");
      }
      return tls.createSecureContext({ cert: pair.certificate, key: pair.key });
    } catch (cause) {
      const reason = cause instanceof Error ? cause.message : String(cause);
      throw new UsageError(`Cannot use the certificate with its key: ${reason}`, { cause });
    }
  };
  let context = secure(options.certificate);
  const sockets = new Set<Socket>();
  const server = net.createServer({ allowHalfOpen: true, pauseOnConnect: true }, (raw) => {
    const peer = peerName(raw.remoteAddress ?? "unknown", raw.remotePort ?? 0);
    // A failure that nobody waits for, at any moment, must not end the process.
    raw.on("error", () => {});
    if (sockets.size >= (options.connectionsMax ?? CONNECTIONS_MAX)) {
      raw.destroy();
      options.onRefused?.(peer, "too many connections");
      return;
    }
    sockets.add(raw);
    raw.on("close", () => sockets.delete(raw));
    raw.setNoDelay(true);
    raw.setKeepAlive(true, KEEP_ALIVE_MS);
    const secureOptions = {
      secureContext: context,
      requestCert: options.asksForCertificate === true,
      // Whatever authority has signed it: it is known by its fingerprint.
      rejectUnauthorized: false,
    };
    const timeoutMs = options.handshakeTimeoutMs ?? HANDSHAKE_TIMEOUT_MS;
    agree(raw, tls.TLSSocket, secureOptions, timeoutMs).then(
      (socket) => {
        if (socket === undefined) return options.onRefused?.(peer, "plain HTTP");
        const fingerprint = socket.getPeerCertificate()?.fingerprint256;
        options.onConnection(
          new SocketConnection(socket, raw, peer),
          fingerprint === undefined ? undefined : parseFingerprint(fingerprint),
        );
      },
      (error: Error) => options.onRefused?.(peer, error.message),
    );
  });
  await bound(server, options);
  const { address, port } = server.address() as { address: string; port: number };
  return {
    host: address,
    port,
    get connectionCount() {
      return sockets.size;
    },
    reload: (pair) => void (context = secure(pair)),
    close: () => new Promise((resolve) => server.close(() => resolve())),
  };
}

function bound(server: Server, { host, port }: TlsListenOptions): Promise<void> {
  return new Promise((resolve, reject) => {
    server.once("error", (cause) => {
      const name = peerName(host, port);
      reject(new ProtocolError(`Cannot listen on ${name}: ${cause.message}`, { cause }));
    });
    server.listen({ host, port }, resolve);
  });
}

/** Agrees on TLS; undefined when the peer does not want any and got its answer. */
function agree(
  raw: Socket,
  TlsSocket: typeof import("node:tls").TLSSocket,
  secureOptions: TLSSocketOptions,
  timeoutMs: number,
): Promise<TLSSocket | undefined> {
  return new Promise((resolve, reject) => {
    let outer: Socket = raw;
    const fail = (error: Error) => {
      clearTimeout(timer);
      outer.destroy();
      raw.destroy();
      reject(error);
    };
    const timer = setTimeout(
      () => fail(new Error(`no TLS within ${timeoutMs / 1000} seconds`)),
      timeoutMs,
    );
    const closed = () => fail(new Error("closed before TLS was agreed on"));
    raw.on("error", fail).on("close", closed);
    raw.once("data", (first: Uint8Array) => {
      raw.pause();
      raw.off("end", closed);
      // Put back: whoever reads next gets all.
      raw.unshift(first);
      if (first[0] !== HANDSHAKE_RECORD) {
        redirect(raw).then(() => {
          clearTimeout(timer);
          raw.off("error", fail).off("close", closed);
          resolve(undefined);
        }, fail);
        return;
      }
      const socket = new TlsSocket(raw, {
        isServer: true,
        ...secureOptions,
        ...HALF_OPEN,
      });
      outer = socket;
      socket.on("error", () => {}).on("error", fail).on("end", closed);
      socket.once("secure", () => {
        clearTimeout(timer);
        socket.off("error", fail).off("end", closed);
        raw.off("error", fail).off("close", closed);
        resolve(socket);
      });
    });
    raw.on("end", closed);
    raw.resume();
  });
}

/** Answers a plain request with the place where TLS is spoken. */
function redirect(raw: Socket): Promise<void> {
  return new Promise((resolve, reject) => {
    let head = "";
    raw.on("data", (bytes: Uint8Array) => {
      head += String.fromCharCode(...bytes.subarray(0, PLAIN_HEAD_SIZE_MAX));
      const isWhole = /\r?\n\r?\n/u.test(head);
      if (!isWhole && head.length < PLAIN_HEAD_SIZE_MAX) return;
      const target = /^[A-Z]+ (\/[!-~]*) HTTP\/1\.[01]\r?\n/u.exec(head)?.[1];
      const host = /\r?\nhost:[ \t]*([A-Za-z0-9.:[\]-]+)[ \t]*\r?\n/iu.exec(head)?.[1];
      if (!isWhole || target === undefined || host === undefined) {
        return reject(new Error("neither TLS nor HTTP"));
      }
      raw.removeAllListeners("data");
      raw.end(
        `HTTP/1.1 301 Moved Permanently\r\nLocation: https://${host}${target}\r\n` +
          "Content-Length: 0\r\nConnection: close\r\n\r\n",
        () => {
          raw.destroySoon();
          resolve();
        },
      );
    });
    raw.resume();
  });
}
