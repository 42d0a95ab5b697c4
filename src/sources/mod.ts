/**
 * Sources: one name for every backup, archive, image and blob that this package can read, and one
 * way to open them. {@link openSource} is the way in; needs FFI.
 *
 * @module
 */

export { formatSourceName, parseSourceName, SOURCE_KINDS } from "./name.ts";
export type { SourceKindName, SourceName } from "./name.ts";
export { recognise, type RecognisedName } from "./recognise.ts";
export { attachSource } from "./attach.ts";
export { listSources, openSource } from "./registry.ts";
export type {
  Credentials,
  NamedServer,
  OpenSourceOptions,
  PostgresFacts,
  Source,
  SourceContent,
  SourceDescription,
  SourceSummary,
  SourceThread,
} from "./source.ts";
export type { ArchiveInput } from "./pxar/archive_input.ts";
export type { ArchiveSources, InputStreams } from "./pxar/archive_files.ts";
export type { ClosableSource } from "#src/io/streams.ts";
export type { KnownEntry } from "#src/pxar/damage_path.ts";
export type { ServerConnection } from "#src/pbs/client/open_server.ts";
export type { ServerRepository } from "#src/pbs/client/repository.ts";
export type { ServerAddress } from "#src/pbs/store_address.ts";
export type { ChunkDiskCacheAddress } from "#src/pbs/client/chunk_disk_cache.ts";
export type { ServerLogin } from "#src/pbs/client/server_login.ts";
export type { SourceMark } from "#src/overlay/binding.ts";
export { NO_WAIT_GATE, type WaitGate } from "#src/io/wait_gate.ts";
export type { SpawnThread, Thread } from "#src/threads/thread.ts";
export type { DirectoryNode, MountableTree } from "#src/tree/node.ts";
