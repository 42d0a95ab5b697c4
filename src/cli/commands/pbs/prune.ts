/**
 * `pbkfs pbs prune`: removes old snapshots and keeps some of every period.
 *
 * @module
 */

import { Command, Option } from "commander";
import type { Datastore } from "#src/pbs/datastore.ts";
import { parseGroup, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import type { RetentionOptions } from "#src/pbs/prune.ts";
import { type CommandModule, wholeNumber } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { qualifiedName, sortedGroups } from "../../pbs/listing.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../pbs/output.ts";
import { PRUNE_TABLE, pruneRecord } from "../../pbs/prune_report.ts";
import { REPOSITORY_ENVIRONMENT } from "../../pbs/repository.ts";
import { addStoreOptions, namespaceOf, type StoreOptions, withStore } from "../../pbs/store.ts";
import { partialError } from "../../pxar/problem_output.ts";

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
        ...REPOSITORY_ENVIRONMENT,
        ...OUTPUT_ENVIRONMENT,
        TZ: "time zone whose hours, days, weeks, months and years count",
      },
      exitStatus: { 1: "Failure, or a snapshot could not be removed." },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = namespaceOf(options);
    const keep = retentionOf(options);
    const isDryRun = options.dryRun === true;
    const [name] = options.args;
    const group = name === undefined ? undefined : parseGroup(name, ns);
    return await withStore(options, context, isDryRun ? "read" : "write", (store) => {
      const groups = group === undefined ? sortedGroups(store, ns) : [group];
      const decisions = groups.flatMap((id) => store.planPrune(id, keep).reverse());
      const records = decisions.map((decision) =>
        pruneRecord(decision, store.snapshotInfo(decision.id).isProtected)
      );
      if (options.quiet !== true) output.records(records, PRUNE_TABLE);
      if (isDryRun) return 0;
      const going = decisions.filter((decision) => decision.mark === "remove");
      removeAll(store, going.map((decision) => decision.id), output);
      return 0;
    });
  },
};

function removeAll(store: Datastore, snapshots: readonly SnapshotId[], output: Output): void {
  let failures = 0;
  for (const snapshot of snapshots) {
    const name = qualifiedName(snapshot);
    try {
      store.forget(snapshot);
      output.event({ type: "removed", snapshot: name });
    } catch (error) {
      failures++;
      output.problem(name, error);
    }
  }
  if (failures > 0) throw partialError(failures, "removed");
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
