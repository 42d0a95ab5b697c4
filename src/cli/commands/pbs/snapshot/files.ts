/**
 * `pbkfs pbs files`, also `pbkfs pbs snapshot files`: the files of a snapshot.
 *
 * @module
 */

import { qualifiedName } from "#src/pbs/format/snapshot_path.ts";
import { Command } from "commander";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { compareText, fileRecords } from "#src/pbs/snapshots/snapshot_records.ts";
import { FILE_TABLE, UNFINISHED } from "../../../output/snapshot_tables.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../../output/output.ts";
import {
  addStoreOptions,
  namespaceOf,
  parseTarget,
  snapshotOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../../datastore/store.ts";
import { STORE_USES } from "../../../datastore/store_uses.ts";

interface FilesOptions extends StoreOptions, FormatChoice {
  readonly args: readonly string[];
}

/** The command; `words` is how it is called. */
export function filesCommand(words: string): CommandModule<FilesOptions> {
  return {
    uses: STORE_USES,

    describe() {
      const command = new Command("files")
        .description("List archives, images and files of a snapshot")
        .argument("<snapshot>", "snapshot; of a group the last one");
      return addHelpNotes(addFormatOptions(addStoreOptions(command)), {
        examples: [
          { text: "One snapshot", line: `pbkfs ${words} host/db1/2024-01-10T10:00:00Z` },
          { text: "The last snapshot of a group", line: `pbkfs ${words} host/db1` },
        ],
        environment: { ...STORE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
      });
    },

    async run(options, context) {
      const output = new Output(options, context);
      const target = parseTarget(options.args[0]!, namespaceOf(options, context));
      await withStore(options, context, "read", (store) => {
        const info = store.snapshotInfo(snapshotOf(store, target));
        if (info.error !== undefined) output.problem(qualifiedName(info.id), info.error);
        if (!info.isFinished) output.warning(`${qualifiedName(info.id)}: ${UNFINISHED}`);
        const files = fileRecords(info);
        if (!output.isJson) files.sort((a, b) => compareText(a.filename, b.filename));
        output.records(files, FILE_TABLE);
      });
      return 0;
    },
  };
}
