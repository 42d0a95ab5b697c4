/**
 * `pbkfs pbs list`: the groups of a datastore.
 *
 * @module
 */

import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { groupRecord, sortedGroups } from "#src/pbs/snapshots/snapshot_records.ts";
import { GROUP_TABLE } from "../../output/snapshot_tables.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import { PartialListing } from "../../output/partial_listing.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../datastore/store.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

type ListOptions = StoreOptions & FormatChoice;

/** The command. */
export const listGroupsCommand: CommandModule<ListOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("list").description("List groups with their last snapshots");
    return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
      examples: [
        { text: "All groups", line: "pbkfs pbs list --repository dir:/srv/store" },
        {
          text: "Groups without a backup since yesterday",
          line: "pbkfs pbs list --format json | " +
            `jq -r '.[] | select(."last-backup" < now - 86400) | ."backup-id"'`,
        },
      ],
      environment: { ...STORE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const ns = namespaceOf(options, context);
    await withStore(options, context, "read", (store) => {
      const listing = new PartialListing(output);
      const groups = sortedGroups(store, ns).flatMap((id) =>
        listing.of(id, () => {
          const info = store.groupInfo(id);
          if (info.error !== undefined) output.problem(qualifiedName(id), info.error);
          return [groupRecord(store, info)];
        })
      );
      output.records(groups, GROUP_TABLE);
      listing.finish();
    });
    return 0;
  },
};
