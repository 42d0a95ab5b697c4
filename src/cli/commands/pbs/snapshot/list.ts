/**
 * `pbkfs pbs snapshots`, also `pbkfs pbs snapshot list`: the snapshots of a datastore.
 *
 * @module
 */

import { Command } from "commander";
import { parseGroup, qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { snapshotRecord, sortedGroups } from "#src/pbs/snapshots/snapshot_records.ts";
import { SNAPSHOT_TABLE } from "../../../output/snapshot_tables.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../../output/output.ts";
import { PartialListing } from "../../../output/partial_listing.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../../datastore/store.ts";
import { STORE_USES } from "../../../datastore/store_uses.ts";

interface SnapshotsOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
}

/** The command, by one of its names. */
export function snapshotsCommand(name: string, words: string): CommandModule<SnapshotsOptions> {
  return {
    uses: STORE_USES,

    describe() {
      const command = new Command(name)
        .description("List snapshots, oldest first")
        .argument("[group]", "only of this group, such as host/db1");
      return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
        examples: [
          { text: "All snapshots", line: `pbkfs ${words} --repository dir:/srv/store` },
          {
            text: "Times of a group's snapshots",
            line: `pbkfs ${words} host/db1 --format json | jq '.[]."backup-time"'`,
          },
        ],
        environment: { ...STORE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
      });
    },

    async run(options, context) {
      const output = new Output(options, context);
      const ns = namespaceOf(options, context);
      const [name] = options.args;
      await withStore(options, context, "read", (store) => {
        const listing = new PartialListing(output);
        const ids = name === undefined
          ? sortedGroups(store, ns)
            .flatMap((group) => listing.of(group, () => store.snapshots(group)))
          : store.snapshots(parseGroup(name, ns));
        const infos = ids.flatMap((id) => listing.of(id, () => [store.snapshotInfo(id)]));
        for (const { id, error } of infos) {
          if (error !== undefined) output.problem(qualifiedName(id), error);
        }
        output.records(infos.map(snapshotRecord), SNAPSHOT_TABLE);
        listing.finish();
      });
      return 0;
    },
  };
}
