/**
 * What goes into an archive.
 *
 * @module
 */

import type { BuildSourceOptions, MakeBuildSource, MetadataOptions } from "./source.ts";
import type { EntryKind } from "../report_counter.ts";
import type { BuildProblem } from "./report.ts";

/** Names held in memory at most: those of the directories on the way to the present one. */
export const ENTRIES_MAX_DEFAULT = 1 << 20;

/** How far the work is. */
export interface BuildProgress {
  /** Entries done, of all kinds. */
  readonly entryCount: number;
  /** Bytes of the regular files. */
  readonly contentBytes: number;
}

/** Options of {@link buildArchive}. */
export interface BuildOptions extends Partial<MetadataOptions> {
  /** Patterns of the command line, `!` in front of includes. The archive keeps them. */
  readonly exclude?: readonly string[];
  /** Adds the pattern `lost+found`. */
  readonly skipLostAndFound?: boolean;
  /** Names held in memory at most. Default: {@link ENTRIES_MAX_DEFAULT}. */
  readonly entriesMax?: number | undefined;
  /**
   * Goes into directories of every file system, but not of pseudo file systems. Default: only that
   * of the source.
   */
  readonly allFileSystems?: boolean;
  /** Paths whose file systems are gone into too. */
  readonly includeDevices?: readonly string[];
  /**
   * Ends with an exception at the first entry that would be missing or incomplete. Default: false.
   */
  readonly isStrict?: boolean;
  /** How files are reached. Default: by system calls where FFI is allowed, else by the runtime. */
  readonly makeSource?: MakeBuildSource;
  /** See {@link BuildSourceOptions.readsSinceSeconds}. */
  readonly readsSinceSeconds?: BuildSourceOptions["readsSinceSeconds"];
  /** Called for every entry, before its content is read. */
  readonly onEntry?: ((path: string, kind: EntryKind) => void) | undefined;
  /** Called after every entry, and now and then in long files. */
  readonly onProgress?: (progress: BuildProgress) => void;
  /** Called for every problem when it is found. */
  readonly onProblem?: (problem: BuildProblem) => void;
}
