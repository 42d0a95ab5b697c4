/**
 * A PostgreSQL server on a source, for a program's own clients.
 *
 * @module
 */

import { type ClusterRequest, MountedCluster } from "../server_on_source/mounted_cluster.ts";
import { defaultDatabase, listDatabases, openAsSuperuser } from "../server_on_source/superuser.ts";

/** How clients reach a server: the variables that all clients of PostgreSQL know. */
export interface ServerEnvironment {
  /** Directory of the socket. */
  readonly PGHOST: string;
  /** Number in the socket's name. */
  readonly PGPORT: string;
  /** The superuser. */
  readonly PGUSER: string;
  /** The only database that users have made, or `postgres`. */
  readonly PGDATABASE: string;
}

/** A server that runs. Disposing of it removes everything but a diff that is to stay. */
export interface SourceServer extends AsyncDisposable {
  /** Full name of what it runs on, with nothing left to be chosen. */
  readonly sourceName: string;
  /** Where clients find it. */
  readonly environment: ServerEnvironment;
}

/**
 * Mounts a source, writable over changes that go with it, and starts a server on it: that of its
 * major version, which reaches nobody and is reached by its socket alone. Needs FFI, libfuse3 and
 * the server's programs.
 *
 * @example
 * ```ts
 * import { startOnSource } from "@pbkfs/pbkfs/run";
 *
 * export async function countOrders(backup: string): Promise<number> {
 *   await using server = await startOnSource({ source: backup, readOnly: true });
 *   const { stdout } = await new Deno.Command("psql", {
 *     args: ["-Atc", "select count(*) from orders"],
 *     env: { ...server.environment },
 *   }).output();
 *   return Number(new TextDecoder().decode(stdout));
 * }
 * ```
 *
 * @throws what opening the source throws
 * @throws {UsageError} when it is no data directory
 * @throws {StateError} `not-found` when there are no programs of its version; `timeout`,
 *   `interrupted`
 * @throws {ProtocolError} `server-failed`, with the server's last words
 */
export async function startOnSource(request: ClusterRequest): Promise<SourceServer> {
  const cluster = await MountedCluster.open(request);
  try {
    return {
      sourceName: cluster.sourceName,
      environment: await startServer(cluster),
      [Symbol.asyncDispose]: () => cluster[Symbol.asyncDispose](),
    };
  } catch (error) {
    await cluster[Symbol.asyncDispose]();
    throw error;
  }
}

/** Starts the server of a mounted source. @throws what `MountedCluster.start()` throws */
export async function startServer(cluster: MountedCluster): Promise<ServerEnvironment> {
  await cluster.start();
  const { user, connection } = await openAsSuperuser(cluster);
  using _ending = connection;
  const database = defaultDatabase(await listDatabases(connection));
  const { socketDirectory, port } = cluster.server.target(user, database);
  return { PGHOST: socketDirectory, PGPORT: String(port), PGUSER: user, PGDATABASE: database };
}
