/**
 * `pbkfs pbs gc`: removes chunks that no snapshot uses any more.
 *
 * @module
 */

import { Command } from "commander";
import { type CommandModule, wholeNumber } from "../../command.ts";
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

interface GcOptions extends PlaceOptions, FormatChoice {
  readonly keepMinutes?: string;
}

/** A year. */
const MINUTES_MAX = 525_600;

/** The command. */
export const gcCommand: CommandModule<GcOptions> = {
  uses: STORE_USES,

  describe() {
    const command = new Command("gc")
      .alias("garbage-collect")
      .description("Remove chunks that no snapshot uses any more")
      .option(
        "--keep-minutes <count>",
        "spare what was used so lately; default is 1445: a day and five minutes",
      );
    return addHelpNotes(addFormatOptions(addPlaceOptions(command)), {
      examples: [
        { text: "After pruning", line: "pbkfs pbs gc --repository dir:/srv/store" },
        {
          text: "Bytes that were freed",
          line: `pbkfs pbs gc --format json 2>/dev/null | jq '."removed-bytes"'`,
        },
      ],
      environment: { ...PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const keepMinutes = options.keepMinutes === undefined
      ? undefined
      : wholeNumber(options.keepMinutes, "--keep-minutes", 0, MINUTES_MAX);
    const { collectOnServer, runGarbageCollection } = await import("../../jobs/gc_job.ts");
    const { terminal } = context;
    return await withEither(options, context, "write", {
      local(store) {
        const storeName = options.serverStore;
        runGarbageCollection({ store, keepMinutes, storeName, terminal, output });
        return 0;
      },
      remote: (store) => collectOnServer(store, keepMinutes, terminal, output),
    });
  },
};
