/**
 * Archives made of directories.
 *
 * @module
 */

export { type ArchiveSinks, buildArchive, buildInto, planArchive } from "./build_archive.ts";
export { type BuildOptions, type BuildProgress, ENTRIES_MAX_DEFAULT } from "./options.ts";
export {
  type BuildProblem,
  type BuildProblemKind,
  type BuildReport,
  BuildReportBuilder,
} from "./report.ts";
export { type HostSource, hostSource } from "./host_source.ts";
export { makePlainSource } from "./plain_source.ts";
export { makeNativeSource, type OpenDirectory } from "./native_source.ts";
export { EntryType } from "#src/bytes/file_type.ts";
export { SourceEntry } from "./source_entry.ts";
export {
  type BuildSource,
  type BuildSourceOptions,
  type DataExtent,
  type MakeBuildSource,
  type MetadataOptions,
  type SourceDirectory,
  type SourceFile,
  statMetadata,
} from "./source.ts";
