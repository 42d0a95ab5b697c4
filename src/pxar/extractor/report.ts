/**
 * What an extraction did, and what it could not do.
 *
 * @module
 */

import { type EntryKind, ReportCounter } from "../report_counter.ts";

export { type EntryKind, PROBLEMS_KEPT_MAX } from "../report_counter.ts";

/** Something that was not restored. */
export interface ExtractProblem {
  /** Path of the entry in the archive. */
  readonly path: string;
  /** What was tried: `set owner`. */
  readonly step: string;
  /** Why not; an `OsError` where the system refused. */
  readonly error: Error;
  /**
   * `warning` when the target cannot hold it at all (its file system knows no such attribute); the
   * extraction counts as complete in spite of it.
   */
  readonly severity: "error" | "warning";
}

/** Result of an extraction. */
export interface ExtractReport {
  /** Entries restored, by kind. */
  readonly counts: Readonly<Record<EntryKind, number>>;
  /** Entries restored. */
  readonly entryCount: number;
  /** Entries left out: not selected, switched off, or below a directory that failed. */
  readonly skippedCount: number;
  /** Content restored, holes included. */
  readonly contentBytes: number;
  /** Problems that leave the extraction incomplete. */
  readonly errorCount: number;
  /** Problems of what the target cannot hold at all. */
  readonly warningCount: number;
  /** The first {@link PROBLEMS_KEPT_MAX} problems. */
  readonly problems: readonly ExtractProblem[];
  /** Whether there were errors: something of what was asked for is missing. */
  readonly isPartial: boolean;
}

/** Where a target reports steps that failed while the entry itself is there. */
export interface ProblemSink {
  /** Counts a problem of the entry at `path`. @throws in strict mode, for an error */
  add(path: string, step: string, error: Error, severity: ExtractProblem["severity"]): void;
}

/** A report that grows. */
export class ReportBuilder extends ReportCounter<ExtractProblem>
  implements ExtractReport, ProblemSink {
  skippedCount = 0;
  readonly #isStrict: boolean;

  constructor(isStrict: boolean, onProblem: ((problem: ExtractProblem) => void) | undefined) {
    super(onProblem);
    this.#isStrict = isStrict;
  }

  /** Counts a regular file no longer that was counted as done. */
  takeBack(kind: "file", contentBytes: number): void {
    this.counts[kind]--;
    this.entryCount--;
    this.contentBytes -= contentBytes;
  }

  add(path: string, step: string, error: Error, severity: ExtractProblem["severity"]): void {
    this.note({ path, step, error, severity });
    if (this.#isStrict && severity === "error") throw new StrictStop(error);
  }
}

/** Ends an extraction in strict mode; `cause` is the error of the entry. */
export class StrictStop extends Error {
  override readonly name = "StrictStop";
  override readonly cause: Error;

  constructor(cause: Error) {
    super(cause.message, { cause });
    this.cause = cause;
  }
}
