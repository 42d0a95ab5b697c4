/**
 * What a restore drill has found: plain values, the same for all forms of reports.
 *
 * @module
 */

/** How a check has ended. What was not checked is neither good nor bad. */
export type Outcome = "passed" | "failed" | "skipped";

/** The checks, in their order. */
export const CHECK_NAMES = ["mount", "start", "amcheck", "sql", "dump", "pages"] as const;

/** One of {@link CHECK_NAMES}. */
export type CheckName = typeof CHECK_NAMES[number];

/** What each is, for people. */
export const CHECK_TITLES: Readonly<Record<CheckName, string>> = {
  mount: "Mount",
  start: "Start and recovery",
  amcheck: "Tables and indexes",
  sql: "Assertions",
  dump: "Dump",
  pages: "Page checksums",
};

/** Something wrong, and where. */
export interface Finding {
  /** What is wrong, in a sentence. */
  readonly message: string;
  /** Path in the data directory. */
  readonly file?: string | undefined;
  /** Number of a page in its relation fork, from 0. */
  readonly block?: number | undefined;
  /** Where it was found by a query. */
  readonly database?: string | undefined;
  /** Table or index, with its schema. */
  readonly relation?: string | undefined;
  /** File of assertions and line. */
  readonly statement?: string | undefined;
}

/** One check. */
export interface CheckResult {
  /** Which. */
  readonly name: CheckName;
  /** How it ended. */
  readonly outcome: Outcome;
  /** How long it took. */
  readonly durationMs: number;
  /** What was looked at; of a check that was skipped, why. */
  readonly summary: string;
  /** How much was looked at, by what: `pages`, `indexes`. */
  readonly counts: Readonly<Record<string, number>>;
  /** The first ones. */
  readonly findings: readonly Finding[];
  /** All there were. */
  readonly findingCount: number;
}

/** A drill of one source. */
export interface DrillReport {
  /** As it was asked for. */
  readonly source: string;
  /** Full name of what was opened, with nothing left to be chosen; null when nothing was. */
  readonly backup: string | null;
  /** ISO 8601, UTC. */
  readonly startedAt: string;
  /** How long all of it took. */
  readonly durationMs: number;
  /** `failed` when a check has failed. */
  readonly outcome: "passed" | "failed";
  /** Version of the server that ran; null when none did. */
  readonly serverVersion: string | null;
  /** The moment of the last transaction that was recovered, as the server says; null: unknown. */
  readonly recoveredTo: string | null;
  /** In the order of {@link CHECK_NAMES}. */
  readonly checks: readonly CheckResult[];
}

/** Findings of a check that are kept: a broken disk has millions. */
export const FINDINGS_MAX = 200;

/** What a check says of itself at its end. */
export interface CheckEnd {
  readonly summary: string;
  readonly counts?: Readonly<Record<string, number>>;
  readonly findings: Findings;
}

/** Findings as they come; the first ones are kept. */
export class Findings {
  readonly kept: Finding[] = [];
  count = 0;

  add(finding: Finding): void {
    this.count++;
    if (this.kept.length < FINDINGS_MAX) this.kept.push(finding);
  }
}

/** A check that cannot be made here, and why. */
export class Skipped {
  constructor(readonly reason: string) {}
}

/** Where a finding is, in a line: `app, public.orders, base/5/16396, block 3`. */
export function describePlace(finding: Finding): string {
  const { database, relation, file, block, statement } = finding;
  return [
    statement,
    database === undefined ? undefined : `database ${database}`,
    relation,
    file,
    block === undefined ? undefined : `block ${block}`,
  ].filter((part) => part !== undefined).join(", ");
}
