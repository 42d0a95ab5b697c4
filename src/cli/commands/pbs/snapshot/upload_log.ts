/**
 * `pbkfs pbs snapshot upload-log`: stores the log of a backup with its snapshot.
 *
 * @module
 */

import { Command } from "commander";
import { parseSnapshot } from "#src/pbs/format/snapshot_path.ts";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { addKeyOptions, type KeyOptions } from "../../../keys/key_choice.ts";
import { KEY_PLACE_ENVIRONMENT } from "#src/usecases/keys/key_places.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import { KEY_PASSWORD_ENVIRONMENT } from "#src/usecases/keys/secrets.ts";
import {
  addStoreOptions,
  namespaceOf,
  STORE_ENVIRONMENT,
  type StoreOptions,
  withStore,
} from "../../../datastore/store.ts";
import { ENCRYPTED_STORE_USES } from "../../../datastore/store_uses.ts";

interface UploadLogOptions extends StoreOptions, FormatChoice, KeyOptions {
  readonly args: readonly string[];
}

/** The largest blob. */
const LOG_SIZE_MAX = 128 << 20;

/** The command. */
export const uploadLogCommand: CommandModule<UploadLogOptions> = {
  uses: ENCRYPTED_STORE_USES,

  describe() {
    const command = new Command("upload-log")
      .description("Store the log of a backup with its snapshot, encrypted where there is a key")
      .argument("<snapshot>", "snapshot")
      .argument("<file>", "log");
    return addHelpNotes(addFormatOptions(addKeyOptions(addStoreOptions(command))), {
      examples: [{
        text: "Keep a log",
        line: "pbkfs pbs snapshot upload-log host/db1/2024-01-10T10:00:00Z /var/log/backup.log",
      }],
      environment: {
        ...STORE_ENVIRONMENT,
        ...KEY_PASSWORD_ENVIRONMENT,
        ...KEY_PLACE_ENVIRONMENT,
      },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const [name = "", path = ""] = options.args;
    const snapshot = parseSnapshot(name, namespaceOf(options, context));
    const { hostFiles } = await import("#src/io/files/files.ts");
    const { readCryptConfig } = await import("../../../keys/crypt.ts");
    const log = hostFiles.read(path, LOG_SIZE_MAX);
    const crypt = await readCryptConfig(options, context);
    await withStore(options, context, "write", (store) => {
      store.addClientLog(snapshot, log, { crypt });
    });
    output.summary({ snapshot: name, size: log.length });
    return 0;
  },
};
