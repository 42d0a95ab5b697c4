/**
 * `pbkfs pbs key change-passphrase`: locks a key with another password, or with none.
 *
 * @module
 */

import { Command } from "commander";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import {
  addKeyLockOptions,
  keyLockOf,
  type KeyLockOptions,
} from "../../../keys/key_lock_options.ts";
import {
  defaultKeyPath,
  KEY_PLACE_ENVIRONMENT,
  knownPlace,
} from "#src/usecases/keys/key_places.ts";
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import { KEY_PASSWORD_ENVIRONMENT } from "#src/usecases/keys/secrets.ts";
import { PASSWORD_PROGRAM } from "../../../datastore/store_uses.ts";

interface ChangeOptions extends FormatChoice, KeyLockOptions {
  readonly args: readonly string[];
}

/** The command. */
export const changePassphraseCommand: CommandModule<ChangeOptions> = {
  uses: ["read", "write", "ffi", "env", PASSWORD_PROGRAM],

  describe() {
    const command = new Command("change-passphrase")
      .description("Lock a key with another password; the key itself stays the same")
      .argument("[path]", "key file; default is the default place");
    return addHelpNotes(addFormatOptions(addKeyLockOptions(command)), {
      examples: [
        { text: "Another password", line: "pbkfs pbs key change-passphrase backup.key" },
        {
          text: "No password any more",
          line: "pbkfs pbs key change-passphrase backup.key --kdf none",
        },
      ],
      environment: {
        ...KEY_PASSWORD_ENVIRONMENT,
        PBS_ENCRYPTION_PASSWORD: "the old password",
        ...KEY_PLACE_ENVIRONMENT,
      },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { lockKey, replaceKeyFile } = await import("#src/usecases/keys/key_files.ts");
    const { unlockKeyFile } = await import("../../../keys/key_loading.ts");
    const { readKeyFile } = await import("#src/usecases/keys/key_file_reading.ts");
    const { formatFingerprint } = await import("#src/pbs/format/key_file.ts");
    const path = options.args[0] ?? knownPlace(defaultKeyPath(context));
    const { key, file } = await unlockKeyFile(readKeyFile(path), context);
    const changed = lockKey(key, keyLockOf(options, context), file.created);
    replaceKeyFile(path, changed);
    if (output.isJson) {
      const fingerprint = formatFingerprint(changed.fingerprint!);
      output.value({ type: "summary", path, kdf: options.kdf, fingerprint }, () => "");
    }
    return 0;
  },
};
