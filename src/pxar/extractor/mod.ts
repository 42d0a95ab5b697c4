/**
 * Archives into directories.
 *
 * A reader calls an extraction for each entry in order (`extract_archive.ts`: the whole stream;
 * `extract_nodes.ts`: chosen paths by random access); the extraction decides what is made
 * (`extraction.ts`); a target makes it (`directory_target.ts`: `descriptor_target.ts` with FFI,
 * `plain_target.ts` without; `dry_target.ts` not at all).
 *
 * @module
 */

export type { DamageHelp, KnownEntry } from "../damage_path.ts";
export { DescriptorTarget } from "./descriptor_target.ts";
export { openDirectoryTarget } from "./directory_target.ts";
export { DryTarget } from "./dry_target.ts";
export { PlainTarget } from "./plain_target.ts";
export { extractArchive, type ExtractArchiveOptions } from "./extract_archive.ts";
export {
  extractEntry,
  type ExtractEntryOptions,
  extractPaths,
  type ExtractPathsOptions,
} from "./extract_nodes.ts";
export type { EntryContent, ExtractTarget, SpecialEntry } from "./extract_target.ts";
export type { ExtractionOptions, ExtractProgress } from "./extraction.ts";
export { InTheWayError, type OverwriteLeave } from "./in_the_way.ts";
export {
  CREATE_HARDLINK,
  OVERWRITE_ALL,
  OVERWRITE_NOTHING,
  type OverwritePolicy,
  RESTORE_ALL,
  type RestoreFeatures,
  SET_OWNER,
  type TargetOptions,
} from "./options.ts";
export {
  type EntryKind,
  type ExtractProblem,
  type ExtractReport,
  PROBLEMS_KEPT_MAX,
  type ProblemSink,
} from "./report.ts";
export { parseFilesFrom, parseIncludePatterns } from "./selection.ts";
