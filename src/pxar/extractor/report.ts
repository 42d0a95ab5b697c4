/**
 * What an extraction did, and what it could not do.
 *
 * @module
 */

import type { PxarEntry } from "../entry.ts";

/** Something that was not restored. */
export interface ExtractProblem {
  /** Path of the entry in the archive. */
  readonly path: string;
  /** What was tried: `set owner`. */
  readonly step: string;
  readonly error: Error;
  /**
   * `warning` when the target cannot hold it at all (its file system knows no such attribute); the extraction
   * counts as complete in spite of it.
   */
  readonly severity: "error" | "warning";
}

/** Kinds of entries. */
export type EntryKind = PxarEntry["kind"] | "hardlink";

/** Problems kept in a report; further ones are only counted. */
export const PROBLEMS_KEPT_MAX = 1000;

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
  readonly errorCount: number;
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
export class ReportBuilder implements ExtractReport, ProblemSink {
  readonly counts: Record<EntryKind, number> = {
    directory: 0,
    file: 0,
    symlink: 0,
    hardlink: 0,
    device: 0,
    fifo: 0,
    socket: 0,
  };
  entryCount = 0;
  skippedCount = 0;
  contentBytes = 0;
  errorCount = 0;
  warningCount = 0;
  readonly problems: ExtractProblem[] = [];
  readonly #isStrict: boolean;
  readonly #onProblem: ((problem: ExtractProblem) => void) | undefined;

  constructor(isStrict: boolean, onProblem: ((problem: ExtractProblem) => void) | undefined) {
    this.#isStrict = isStrict;
    this.#onProblem = onProblem;
  }

  get isPartial(): boolean {
    return this.errorCount > 0;
  }

  /** Counts an entry as restored. */
  done(kind: EntryKind): void {
    this.counts[kind]++;
    this.entryCount++;
  }

  add(path: string, step: string, error: Error, severity: ExtractProblem["severity"]): void {
    const problem = { path, step, error, severity };
    if (severity === "error") this.errorCount++;
    else this.warningCount++;
    if (this.problems.length < PROBLEMS_KEPT_MAX) this.problems.push(problem);
    this.#onProblem?.(problem);
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
