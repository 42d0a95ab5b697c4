/**
 * What making an archive did, and what it could not do.
 *
 * @module
 */

import type { PxarEntry } from "../entry.ts";
import type { PxarSizes } from "../encoder.ts";

/** What happened to an entry. */
export type BuildProblemKind =
  /** Permission denied: left out. */
  | "unreadable"
  /** Removed, or replaced by something of another kind, between listing and opening: left out. */
  | "vanished"
  /** Stale handle of a network file system: left out. */
  | "stale"
  /** Became shorter while it was read: the rest is zeros. */
  | "shrunk"
  /** Became longer while it was read: what is new is missing. */
  | "grown"
  /** An attribute could not be read: the entry is there without it. */
  | "attribute"
  /** A line of a `.pxarexclude` file, or the file, was not understood. */
  | "exclude-file"
  /** Directory of another file system: stored without its content, as asked for. */
  | "mount-point";

/** Something in the archive that is not as in the directory. */
export interface BuildProblem {
  readonly kind: BuildProblemKind;
  /** Path from the source directory, `/a/b`. */
  readonly path: string;
  readonly message: string;
  readonly severity: "error" | "warning" | "notice";
}

/** Kinds of entries. */
export type BuildEntryKind = PxarEntry["kind"] | "hardlink";

/** Problems kept in a report; further ones are only counted. */
export const BUILD_PROBLEMS_KEPT_MAX = 1000;

/** What an archive was made of. */
export interface BuildReport {
  /** Entries stored, by kind. The root is one of the directories. */
  readonly counts: Readonly<Record<BuildEntryKind, number>>;
  /** Entries stored, the root included. */
  readonly entryCount: number;
  /** Names left out because of a pattern. */
  readonly excludedCount: number;
  /** Bytes of the regular files, holes included. */
  readonly contentBytes: number;
  /** Entries that are missing although they were not excluded. */
  readonly errorCount: number;
  readonly warningCount: number;
  /** The first {@link BUILD_PROBLEMS_KEPT_MAX} problems. */
  readonly problems: readonly BuildProblem[];
  /** Lengths of the streams; undefined for a dry run. */
  readonly sizes: PxarSizes | undefined;
  /** Whether entries are missing. */
  readonly isPartial: boolean;
}

const SEVERITIES: Readonly<Record<BuildProblemKind, BuildProblem["severity"]>> = {
  unreadable: "error",
  vanished: "error",
  stale: "error",
  shrunk: "warning",
  grown: "warning",
  attribute: "warning",
  "exclude-file": "warning",
  "mount-point": "notice",
};

/** A report that grows. */
export class BuildReportBuilder implements BuildReport {
  readonly counts: Record<BuildEntryKind, number> = {
    directory: 0,
    file: 0,
    symlink: 0,
    hardlink: 0,
    device: 0,
    fifo: 0,
    socket: 0,
  };
  entryCount = 0;
  excludedCount = 0;
  contentBytes = 0;
  errorCount = 0;
  warningCount = 0;
  sizes: PxarSizes | undefined;
  readonly problems: BuildProblem[] = [];
  readonly #onProblem: ((problem: BuildProblem) => void) | undefined;

  constructor(onProblem?: (problem: BuildProblem) => void) {
    this.#onProblem = onProblem;
  }

  get isPartial(): boolean {
    return this.errorCount > 0;
  }

  /** Counts an entry as stored. */
  done(kind: BuildEntryKind): void {
    this.counts[kind]++;
    this.entryCount++;
  }

  /** Counts a problem. */
  add(kind: BuildProblemKind, path: string, message: string): void {
    const severity = SEVERITIES[kind];
    const problem = { kind, path, message, severity };
    if (severity === "error") this.errorCount++;
    else if (severity === "warning") this.warningCount++;
    if (this.problems.length < BUILD_PROBLEMS_KEPT_MAX) this.problems.push(problem);
    this.#onProblem?.(problem);
  }
}
