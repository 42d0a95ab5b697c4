/**
 * What making an archive did, and what it could not do.
 *
 * @module
 */

import { StateError } from "#src/errors.ts";
import type { PxarSizes } from "../new_entry.ts";
import { type EntryKind, ReportCounter } from "../report_counter.ts";

/** What happened to an entry. */
export type BuildProblemKind =
  /** Permission denied, a bad sector, a connection that is lost: left out. */
  | "unreadable"
  /**
   * Could be read in part: zeros are in the place of what is missing in a file, names are missing
   * in a directory.
   */
  | "incomplete"
  /** Removed between listing and opening: left out, as if it had gone before. */
  | "vanished"
  /** Replaced by something of another kind between listing and opening: left out. */
  | "replaced"
  /** A further name of a file of which the first one has vanished: left out. */
  | "lost-link"
  /** Stale handle of a network file system: left out. */
  | "stale"
  /** Below more directories, or with a longer path, than an archive may have: left out. */
  | "too-deep"
  /** Became shorter while it was read: the rest is zeros. */
  | "shrunk"
  /** Became longer while it was read: what is new is missing. */
  | "grown"
  /** An attribute could not be read: the entry is there without it. */
  | "attribute"
  /** A line of a `.pxarexclude` file, or the file, was not understood. */
  | "exclude-file"
  /** A pattern of the caller can match nothing. */
  | "exclude-pattern"
  /** Directory of another file system: stored without its content, as asked for. */
  | "mount-point";

/** Something in the archive that is not as in the directory. */
export interface BuildProblem {
  /** What happened, for programs. */
  readonly kind: BuildProblemKind;
  /** Path from the source directory, `/a/b`. */
  readonly path: string;
  /** The same for people, without the path. */
  readonly message: string;
  /**
   * `error`: the archive is incomplete. `warning`: something is not as it was. `notice`: as asked
   * for.
   */
  readonly severity: "error" | "warning" | "notice";
}

/** What an archive was made of. */
export interface BuildReport {
  /** Entries stored, by kind. The root is one of the directories. */
  readonly counts: Readonly<Record<EntryKind, number>>;
  /** Entries stored, the root included. */
  readonly entryCount: number;
  /** Names left out because of a pattern. */
  readonly excludedCount: number;
  /** Bytes of the regular files, holes included. */
  readonly contentBytes: number;
  /** Entries that are missing although they were not excluded, or that are incomplete. */
  readonly errorCount: number;
  /** Things that are not as they were, though nothing is missing. */
  readonly warningCount: number;
  /** The first {@link PROBLEMS_KEPT_MAX} problems. */
  readonly problems: readonly BuildProblem[];
  /** Lengths of the streams; undefined for a dry run. */
  readonly sizes: PxarSizes | undefined;
  /** Whether entries are missing or incomplete. */
  readonly isPartial: boolean;
}

const SEVERITIES: Readonly<Record<BuildProblemKind, BuildProblem["severity"]>> = {
  unreadable: "error",
  incomplete: "error",
  vanished: "warning",
  replaced: "error",
  "lost-link": "error",
  stale: "error",
  "too-deep": "error",
  shrunk: "warning",
  grown: "warning",
  attribute: "warning",
  "exclude-file": "warning",
  "exclude-pattern": "warning",
  "mount-point": "notice",
};

/** A report that grows. */
export class BuildReportBuilder extends ReportCounter<BuildProblem> implements BuildReport {
  excludedCount = 0;
  sizes: PxarSizes | undefined;

  readonly #isStrict: boolean;

  /** Begins with nothing. @param isStrict whether something missing or incomplete ends the work */
  constructor(onProblem?: (problem: BuildProblem) => void, isStrict = false) {
    super(onProblem);
    this.#isStrict = isStrict;
  }

  /** Counts a problem. @throws {StateError} `partial` in strict mode, for an error */
  add(kind: BuildProblemKind, path: string, message: string): void {
    const severity = SEVERITIES[kind];
    this.note({ kind, path, message, severity });
    if (!this.#isStrict || severity !== "error") return;
    throw new StateError("partial", `Stopped at "${path}", which would be missing or incomplete`);
  }
}
