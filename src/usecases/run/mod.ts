/**
 * PostgreSQL servers on sources, for a moment: {@link startOnSource} for a program's own clients,
 * {@link runOnSource} for a command beside it.
 *
 * @module
 */

export { runOnSource, type RunRequest } from "./run_command.ts";
export { type ServerEnvironment, type SourceServer, startOnSource } from "./source_server.ts";
export type { ClusterRequest, RecoveryChoice } from "../server_on_source/mounted_cluster.ts";
export type { PostgresSettings, RecoveryTarget } from "#src/postgres/settings.ts";
export type { Credentials } from "#src/sources/source.ts";
