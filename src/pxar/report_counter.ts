/**
 * What reports of making and of restoring an archive have in common.
 *
 * @module
 */

import type { PxarEntry } from "./entry.ts";

/** Kinds of entries. */
export type EntryKind = PxarEntry["kind"] | "hardlink";

/** Problems kept in a report; further ones are only counted. */
export const PROBLEMS_KEPT_MAX = 1000;

/** Counts entries and problems. */
export class ReportCounter<
  Problem extends { readonly severity: "error" | "warning" | "notice" },
> {
  /** Restored or stored entries by kind. */
  readonly counts: Record<EntryKind, number> = {
    directory: 0,
    file: 0,
    symlink: 0,
    hardlink: 0,
    device: 0,
    fifo: 0,
    socket: 0,
  };
  /** Sum of `counts`. */
  entryCount = 0;
  /** Bytes of the regular files, holes included. */
  contentBytes = 0;
  /** Problems that leave something incomplete. */
  errorCount = 0;
  /** Problems that leave nothing incomplete. */
  warningCount = 0;
  /** The first {@link PROBLEMS_KEPT_MAX}. */
  readonly problems: Problem[] = [];
  readonly #onProblem: ((problem: Problem) => void) | undefined;

  /** `onProblem` gets every problem, also those that are not kept. */
  constructor(onProblem: ((problem: Problem) => void) | undefined) {
    this.#onProblem = onProblem;
  }

  /** Whether there were errors. */
  get isPartial(): boolean {
    return this.errorCount > 0;
  }

  /** Counts an entry as done. */
  done(kind: EntryKind): void {
    this.counts[kind]++;
    this.entryCount++;
  }

  /** Counts a problem and calls `onProblem`. */
  protected note(problem: Problem): void {
    if (problem.severity === "error") this.errorCount++;
    else if (problem.severity === "warning") this.warningCount++;
    if (this.problems.length < PROBLEMS_KEPT_MAX) this.problems.push(problem);
    this.#onProblem?.(problem);
  }
}
