/**
 * Connections as the superuser that initdb has made, whatever the name.
 *
 * @module
 */

import { readWholeFile } from "#src/io/files/whole_file.ts";
import { PostgresConnection, SqlError } from "#src/postgres/connection.ts";
import {
  Catalog,
  MAP_SIZE_MAX,
  parseCatalogFileName,
  parseSuperuserNames,
} from "#src/postgres/format/shared_catalog.ts";
import type { MountedCluster } from "./mounted_cluster.ts";

/** Its usual name. */
const USUAL_NAME = "postgres";
const ROLE_FILE_SIZE_MAX = 64 << 20;
/** SQLSTATE: there is no such role, or it may not log in. */
const NO_SUCH_ROLE = "28000";
/** SQLSTATE: there is no such database. */
const NO_SUCH_DATABASE = "3D000";
/** Is there when nobody has removed `postgres`. */
const OTHER_DATABASE = "template1";

/** A connection as the superuser; the caller closes it. */
export interface SuperuserConnection {
  /** Name of the superuser, as the server knows it. */
  readonly user: string;
  /** To a database that every server has. */
  readonly connection: PostgresConnection;
}

/** Connects as the superuser. @throws what connecting throws */
export async function openAsSuperuser(cluster: MountedCluster): Promise<SuperuserConnection> {
  let refusal: unknown;
  for (const user of superuserNames(cluster)) {
    try {
      return { user, connection: await openInAny(cluster, user) };
    } catch (error) {
      if (!(error instanceof SqlError) || error.code !== NO_SUCH_ROLE) throw error;
      refusal = error;
    }
  }
  throw refusal;
}

async function openInAny(
  { server }: MountedCluster,
  user: string,
): Promise<PostgresConnection> {
  try {
    return await PostgresConnection.open(server.target(user, "postgres"));
  } catch (error) {
    if (!(error instanceof SqlError) || error.code !== NO_SUCH_DATABASE) throw error;
    return await PostgresConnection.open(server.target(user, OTHER_DATABASE));
  }
}

/** Files are read only when the usual name is not it. */
function* superuserNames({ dataDirectory }: MountedCluster): Generator<string> {
  yield USUAL_NAME;
  const map = readWholeFile(`${dataDirectory}/global/pg_filenode.map`, MAP_SIZE_MAX);
  const path = `${dataDirectory}/global/${parseCatalogFileName(map, Catalog.ROLES)}`;
  yield* parseSuperuserNames(readWholeFile(path, ROLE_FILE_SIZE_MAX));
}

/** Databases that can be connected to, those that users have made first. */
export async function listDatabases(connection: PostgresConnection): Promise<string[]> {
  const { rows } = await connection.query(
    "select datname from pg_database where datallowconn " +
      "order by datistemplate, datname = 'postgres', datname",
  );
  return rows.map(([name]) => name!);
}

/** The database that a user means who names none: the only one that he has made, or `postgres`. */
export function defaultDatabase(databases: readonly string[]): string {
  const own = databases.filter((name) => name !== "postgres" && name !== OTHER_DATABASE);
  const [first = OTHER_DATABASE] = databases;
  return own.length === 1 ? own[0]! : databases.includes("postgres") ? "postgres" : first;
}
