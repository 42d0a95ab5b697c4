/**
 * `pbkfs pbs status`: how full a datastore is.
 *
 * @module
 */

import { Command } from "commander";
import type { GcStatus } from "#src/pbs/gc/status.ts";
import type { SnapshotStore } from "#src/pbs/ports.ts";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import {
  addPlaceOptions,
  PLACE_ENVIRONMENT,
  type PlaceOptions,
  withEither,
} from "../../datastore/store.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface StatusOptions extends PlaceOptions, FormatChoice {
  readonly verbose?: boolean;
}

/** The command. */
export const statusCommand: CommandModule<StatusOptions> = {
  uses: [...STORE_USES, "sys"],

  describe() {
    const command = new Command("status")
      .description("Show how full a datastore is")
      .option("--verbose", "also what is in it, and what the last garbage collection found");
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        { text: "Space", line: "pbkfs pbs status --repository dir:/srv/store" },
        { text: "Everything there is to know", line: "pbkfs pbs status --verbose --format json" },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { PartialListing } = await import("../../output/partial_listing.ts");
    const { formatStatus, statusRecord } = await import("../../output/datastore_status.ts");
    const show = (store: SnapshotStore, gcStatus: () => GcStatus) => {
      const listing = new PartialListing(output);
      const record = statusRecord(store, options.verbose === true ? gcStatus : undefined, listing);
      output.value(record, () => formatStatus(record, output));
      listing.finish();
    };
    const { readGcStatus } = await import("#src/pbs/gc/garbage_collection.ts");
    await withEither(options, context, "read", {
      local: (store) => show(store, () => readGcStatus(store)),
      remote: (store) => show(store, () => store.gcStatus()),
    });
    return 0;
  },
};
