/**
 * Connects to a client by its name.
 *
 * @module
 */

import { AuthError, ProtocolError } from "#src/errors.ts";
import type { Connection } from "#src/net/connection.ts";
import type { CertificateAndKey } from "#src/net/tls/certificate.ts";
import { connectTls } from "#src/net/tls/connect.ts";
import { AgentClient, type AgentClientOptions } from "./agent_client.ts";
import type { ClientPlace } from "./client_place.ts";
import { connectSsh, type SshOptions } from "./ssh_connection.ts";

/** How clients are reached. */
export interface OpenClientOptions extends AgentClientOptions {
  /** For clients that ssh starts. */
  readonly ssh?: SshOptions | undefined;
  /** For clients that listen. */
  readonly tls?: ClientTlsOptions | undefined;
}

/** How both ends of a TLS connection know each other. */
export interface ClientTlsOptions {
  /** Of the client's certificate. */
  readonly fingerprint?: string | undefined;
  /** By which the client knows this end. */
  readonly certificate?: CertificateAndKey | undefined;
}

/**
 * Connects to the client that all these directories belong to.
 *
 * @param places of one client; one at least
 * @throws {ProtocolError} when there is no way to it, or it does not serve one of the directories
 * @throws {AuthError} `certificate` when one of both does not know the other's certificate
 * @throws {StateError} `interrupted`, or `not-found` when there is no ssh
 */
export async function openClient(
  places: readonly ClientPlace[],
  options: OpenClientOptions,
): Promise<AgentClient> {
  const client = await AgentClient.open(await connect(places, options), options);
  const { roots } = client.hello;
  const outside = places.find(({ path }) => !roots.some((root) => isAtOrBelow(path, root)));
  if (outside === undefined) return client;
  await client.close();
  const served = roots.map((root) => `"${root}"`).join(", ");
  throw new ProtocolError(`${outside.host} serves ${served}, not "${outside.path}"`, {
    code: "not-served",
  });
}

async function connect(
  places: readonly ClientPlace[],
  { ssh, tls, signal }: OpenClientOptions,
): Promise<Connection> {
  const place = places[0]!;
  if (place.kind === "ssh") {
    const { host, user, port } = place;
    return connectSsh({ host, user, port, roots: places.map(({ path }) => path) }, ssh, signal);
  }
  const { host, port } = place;
  const trust = { fingerprint: tls?.fingerprint, authorities: [] };
  try {
    return await connectTls({ host, port, trust, certificate: tls?.certificate, signal });
  } catch (error) {
    if (!(error instanceof AuthError)) throw error;
    const { code, message, fingerprint, hint } = error;
    const option = "clientFingerprint";
    throw new AuthError(message, { code, fingerprint, hint, option, cause: error });
  }
}

function isAtOrBelow(path: string, root: string): boolean {
  const base = root.replace(/\/+$/u, "");
  return path.replace(/\/+$/u, "") === base || path.startsWith(`${base}/`);
}
