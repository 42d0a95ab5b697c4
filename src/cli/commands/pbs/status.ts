/**
 * `pbkfs pbs status`: how full a datastore is.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../output/output.ts";
import {
  addRepositoryOptions,
  REPOSITORY_ENVIRONMENT,
  type RepositoryOptions,
} from "../../options/repository.ts";
import { withDatastore } from "../../datastore/store.ts";
import { STORE_USES } from "../../datastore/store_uses.ts";

interface StatusOptions extends RepositoryOptions, FormatChoice {
  readonly verbose?: boolean;
}

/** The command. */
export const statusCommand: CommandModule<StatusOptions> = {
  uses: [...STORE_USES, "sys"],

  describe() {
    const command = new Command("status")
      .description("Show how full a datastore is")
      .option("--verbose", "also what is in it, and what the last garbage collection found");
    return addHelpNotes(addFormatOptions(addRepositoryOptions(command)), {
      examples: [
        { text: "Space", line: "pbkfs pbs status --repository dir:/srv/store" },
        { text: "Everything there is to know", line: "pbkfs pbs status --verbose --format json" },
      ],
      environment: { ...REPOSITORY_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { PartialListing } = await import("../../output/partial_listing.ts");
    const { formatStatus, statusRecord } = await import("../../output/datastore_status.ts");
    await withDatastore(options, context, "read", (store) => {
      const listing = new PartialListing(output);
      const record = statusRecord(store, options.verbose === true, listing);
      output.value(record, () => formatStatus(record, output));
      listing.finish();
    });
    return 0;
  },
};
