/**
 * Serves files of this host to those who back them up: over standard input and output, or
 * to whom connects.
 *
 * @module
 */

import { ConfinedFiles } from "#src/agent/confined_files.ts";
import { encodeFrame, FrameKind } from "#src/agent/format/frame.ts";
import { encodeFailure } from "#src/agent/format/request.ts";
import { runShellCommand } from "#src/agent/run_command.ts";
import { serveConnection } from "#src/agent/serve_connection.ts";
import { standardStreams } from "#src/agent/stream_connection.ts";
import { toRecord, UsageError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import { type CertificateAndKey, fingerprintOfPem } from "#src/net/tls/certificate.ts";
import { CERTIFICATE_CODE, peerName } from "#src/net/tls/connect.ts";
import { parseFingerprint } from "#src/net/tls/fingerprint.ts";
import { listenTls } from "#src/net/tls/listen.ts";
import type { ListenAddress } from "../server/server_settings.ts";
import { PROGRAM_VERSION } from "../program_version.ts";

/** What is served. */
export interface ServedFiles {
  /** Directories, absolute paths: nothing else is reached. */
  readonly roots: readonly string[];
  /** Whether extended attributes are read, and ACLs and capabilities with them. Default: true. */
  readonly xattrs?: boolean | undefined;
  /** Whether commands are run that who connects asks for. Default: false. */
  readonly allowsHooks?: boolean | undefined;
}

/** A client that others connect to. */
export interface ListeningFiles extends ServedFiles {
  readonly listen: ListenAddress;
  readonly certificate: CertificateAndKey;
  /** Fingerprints of the certificates of those who may connect; one at least. */
  readonly peers: readonly string[];
  /** Ends it, and all connections. */
  readonly signal: AbortSignal;
  /** Called when it listens. */
  readonly onReady: (started: StartedClient) => void;
  /** Told of connections that begin, end and are refused; a line without its end. */
  readonly onNotice: (message: string) => void;
}

/** A client that has started. */
export interface StartedClient {
  /** `host:port`, as bound. */
  readonly address: string;
  /** Of its certificate. */
  readonly fingerprint: string;
}

/** Hosts that back this one up are few. */
const CONNECTIONS_MAX = 64;

/**
 * Serves over standard input and output until these end.
 *
 * @throws {ProtocolError | FormatError | LimitError} when what comes is no request
 */
export async function serveStandardStreams(served: ServedFiles): Promise<void> {
  await serve(standardStreams("who asks"), served);
}

/**
 * Listens and serves until it is told to end.
 *
 * @throws {UsageError} when a fingerprint is none, nobody may connect, or the certificate and its
 *   key do not belong together
 * @throws {ProtocolError} when the address cannot be listened on
 */
export async function listenForBackups(client: ListeningFiles): Promise<void> {
  const { listen, certificate, signal, onNotice } = client;
  const peers = new Set(client.peers.map((text) => parseFingerprint(text, "peer")));
  if (peers.size === 0) {
    throw new UsageError("Nobody is named who may connect", { option: "peer" });
  }
  new ConfinedFiles(client.roots);
  const connections = new Set<Connection>();
  const serveOne = async (connection: Connection, fingerprint: string | undefined) => {
    const { peer } = connection;
    if (fingerprint === undefined || !peers.has(fingerprint)) {
      onNotice(`refused ${peer}: ${refusalOf(fingerprint)}`);
      return await refuse(connection, refusalOf(fingerprint));
    }
    onNotice(`connected ${peer}, certificate ${fingerprint}`);
    try {
      await serve(connection, client);
      onNotice(`ended ${peer}`);
    } catch (error) {
      connection.destroy();
      onNotice(`broken ${peer}: ${toRecord(error).message}`);
    }
  };
  const listener = await listenTls({
    ...listen,
    certificate,
    asksForCertificate: true,
    connectionsMax: CONNECTIONS_MAX,
    onConnection: (connection, fingerprint) => {
      connections.add(connection);
      void connection.closed.then(() => connections.delete(connection));
      void serveOne(connection, fingerprint);
    },
    onRefused: (peer, reason) => onNotice(`refused ${peer}: ${reason}`),
  });
  const fingerprint = await fingerprintOfPem(certificate.certificate);
  client.onReady({ address: peerName(listener.host, listener.port), fingerprint });
  if (!signal.aborted) {
    await new Promise((resolve) => signal.addEventListener("abort", resolve, { once: true }));
  }
  const closed = listener.close();
  for (const connection of connections) connection.destroy();
  await closed;
}

async function serve(connection: Connection, served: ServedFiles): Promise<void> {
  const { roots, xattrs = true, allowsHooks = false } = served;
  const files = new ConfinedFiles(roots, { xattrs });
  try {
    await serveConnection(connection, {
      files,
      roots,
      program: `pbkfs ${PROGRAM_VERSION}`,
      ...(allowsHooks ? { runCommand: runShellCommand } : {}),
    });
  } finally {
    files.close();
  }
}

function refusalOf(fingerprint: string | undefined): string {
  return fingerprint === undefined
    ? "a certificate is needed here"
    : `the certificate with fingerprint ${fingerprint} is not known here`;
}

/** Tells who may not connect why, since TLS itself has no words for it. */
async function refuse(connection: Connection, message: string): Promise<void> {
  const payload = encodeFailure({ errno: 0, code: CERTIFICATE_CODE, message });
  await connection.write(encodeFrame(FrameKind.ERROR, 0, payload)).catch(() => {});
  connection.end();
}
