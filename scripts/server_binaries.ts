/**
 * Prints the directory with the server programs of a PostgreSQL major version, for shell scripts.
 *
 *     deno run … scripts/server_binaries.ts 15
 *
 * @module
 */

import { type PostgresVersion, serverBinaries } from "#tests/support/postgres_binaries.ts";

if (import.meta.main) console.log(await serverBinaries(Number(Deno.args[0]) as PostgresVersion));
