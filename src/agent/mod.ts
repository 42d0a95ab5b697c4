/**
 * Files of another host, for backups that are pulled: the end that serves them, confined and
 * read-only, and the end that asks, over any ordered stream of bytes in both directions.
 *
 * @module
 */

export { AgentClient, type AgentClientOptions } from "./agent_client.ts";
export {
  AGENT_PORT,
  type ClientPlace,
  type ListeningPlace,
  parseClientPlace,
  type SshPlace,
} from "./client_place.ts";
export { ConfinedFiles } from "./confined_files.ts";
export type { AgentHello, Hello, VersionRange } from "./format/hello.ts";
export { type ClientTlsOptions, openClient, type OpenClientOptions } from "./open_client.ts";
export {
  type CommandOutcome,
  type RunCommand,
  serveConnection,
  type ServeFilesOptions,
} from "./serve_connection.ts";
export { connectSsh, type SshOptions, type SshTarget } from "./ssh_connection.ts";
export { StreamConnection, type StreamConnectionParts } from "./stream_connection.ts";
export type { AccessedFile, FileSystemAccessor } from "#src/backup/client/file_system_accessor.ts";
export type * from "#src/backup/client/provider.ts";
export type { Metadata, MetadataField, Timestamp, Xattr } from "#src/tree/metadata.ts";
export type { Acl, AclDefault, AclEntry } from "#src/bytes/acl.ts";
export type { Connection } from "#src/net/connection.ts";
export type { CertificateAndKey } from "#src/net/tls/certificate.ts";
