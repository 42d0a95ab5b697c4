/**
 * `pbkfs pbs prune`: removes old snapshots and keeps some of every period.
 *
 * @module
 */

import type { SnapshotStore } from "#src/pbs/ports.ts";
import { Command, Option } from "commander";
import { Failure, UsageError } from "#src/errors.ts";
import {
  type GroupId,
  parseGroup,
  qualifiedName,
  type SnapshotId,
} from "#src/pbs/format/snapshot_path.ts";
import type { PruneDecision, RetentionOptions } from "#src/pbs/snapshots/prune.ts";
import { type CommandModule, wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { sortedGroups } from "#src/pbs/snapshots/snapshot_records.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { pruneRecord } from "#src/usecases/datastore/prune_record.ts";
import { PRUNE_TABLE } from "../../output/prune_report.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../datastore/store.ts";
import { partialError } from "../../output/problem_output.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface PruneOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
  readonly keepLast?: string;
  readonly keepHourly?: string;
  readonly keepDaily?: string;
  readonly keepWeekly?: string;
  readonly keepMonthly?: string;
  readonly keepYearly?: string;
  readonly dryRun?: boolean;
  readonly quiet?: boolean;
}

const COUNT_MAX = 1_000_000;

/** The command. */
export const pruneCommand: CommandModule<PruneOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("prune")
      .description("Remove old snapshots; their chunks go with the next garbage collection")
      .argument("[group]", "group; default is every group of the namespace")
      .option("--keep-last <count>", "keep the last snapshots")
      .option("--keep-hourly <count>", "keep the last snapshot of each of so many hours")
      .option("--keep-daily <count>", "keep the last snapshot of each of so many days")
      .option("--keep-weekly <count>", "keep the last snapshot of each of so many weeks")
      .option("--keep-monthly <count>", "keep the last snapshot of each of so many months")
      .option("--keep-yearly <count>", "keep the last snapshot of each of so many years")
      .addOption(new Option("-n, --dry-run", "only show what would be removed, and why"))
      .option("--quiet", "print nothing");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [
        {
          text: "What would go",
          line: "pbkfs pbs prune host/db1 --keep-last 3 --keep-daily 14 --dry-run",
        },
        {
          text: "Every group: two weeks, then a snapshot for each of six months",
          line: "pbkfs pbs prune --keep-daily 14 --keep-monthly 6",
        },
      ],
      environment: {
        ...STORE_ENVIRONMENT,
        ...OUTPUT_ENVIRONMENT,
        TZ: "time zone whose hours, days, weeks, months and years count",
      },
      exitStatus: { 1: "Failure, or a group could not be read, or a snapshot removed." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = namespaceOf(options, context);
    const keep = retentionOf(options);
    const isDryRun = options.dryRun === true;
    const [name] = options.args;
    const group = name === undefined ? undefined : parseGroup(name, ns);
    return await withStore(options, context, isDryRun ? "read" : "write", (store) => {
      if (group !== undefined) store.groupInfo(group);
      const groups = group === undefined ? sortedGroups(store, ns) : [group];
      const job = new PruneJob(store, output);
      const decisions = groups.flatMap((id) => job.plan(id, keep));
      if (options.quiet !== true) output.records(decisions.map(pruneRecord), PRUNE_TABLE);
      if (!isDryRun) decisions.forEach((decision) => job.apply(decision));
      job.finish();
      return 0;
    });
  },
};

/** One run; what goes wrong with one group or snapshot is no reason to leave the others. */
class PruneJob {
  readonly #store: SnapshotStore;
  readonly #output: Output;
  #failureCount = 0;

  constructor(store: SnapshotStore, output: Output) {
    this.#store = store;
    this.#output = output;
  }

  /** What becomes of a group's snapshots, oldest first. */
  plan(group: GroupId, keep: RetentionOptions): PruneDecision<SnapshotId>[] {
    const plan = this.#attempt(group, () => this.#store.planPrune(group, keep));
    return plan?.reverse() ?? [];
  }

  /** Removes a snapshot that has to go. */
  apply({ id, mark }: PruneDecision<SnapshotId>): void {
    if (mark !== "remove") return;
    this.#attempt(id, () => {
      this.#store.forget(id);
      this.#output.event({ type: "removed", snapshot: qualifiedName(id) });
    });
  }

  /** @throws {StateError} `partial` when something went wrong */
  finish(): void {
    if (this.#failureCount > 0) throw partialError(this.#failureCount, "pruned");
  }

  /** What somebody else has removed meanwhile is gone, as it had to be. */
  #attempt<Result>(id: GroupId | SnapshotId, run: () => Result): Result | undefined {
    try {
      return run();
    } catch (error) {
      if (!(error instanceof Failure) || error instanceof UsageError) throw error;
      // It is the datastore, not the group.
      if (error.code === "object-storage") throw error;
      if (error.code === "not-found") return undefined;
      this.#failureCount++;
      this.#output.problem(qualifiedName(id), error);
      return undefined;
    }
  }
}

/** What is to be kept; where nothing is given, everything. @throws {UsageError} */
function retentionOf(options: PruneOptions): RetentionOptions {
  const given = {
    last: options.keepLast,
    hourly: options.keepHourly,
    daily: options.keepDaily,
    weekly: options.keepWeekly,
    monthly: options.keepMonthly,
    yearly: options.keepYearly,
  };
  const counts = Object.entries(given).flatMap(([period, text]) =>
    text === undefined ? [] : [[period, wholeNumber(text, `--keep-${period}`, 0, COUNT_MAX)]]
  );
  return Object.fromEntries(counts);
}
