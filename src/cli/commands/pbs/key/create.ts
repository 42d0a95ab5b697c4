/**
 * `pbkfs pbs key create`: makes an encryption key.
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
import { addFormatOptions, type FormatChoice, Output } from "../../../output/output.ts";
import {
  defaultKeyPath,
  KEY_PLACE_ENVIRONMENT,
  knownPlace,
} from "#src/usecases/keys/key_places.ts";

interface CreateOptions extends FormatChoice, KeyLockOptions {
  readonly args: readonly string[];
}

/** The command. */
export const createKeyCommand: CommandModule<CreateOptions> = {
  uses: ["read", "write", "ffi", "env"],

  describe() {
    const command = new Command("create")
      .description("Make an encryption key")
      .argument("[path]", "file to make; default is the default place");
    return addHelpNotes(addFormatOptions(addKeyLockOptions(command)), {
      examples: [
        { text: "A key at the default place, locked by a password", line: "pbkfs pbs key create" },
        {
          text: "A key that needs no password",
          line: "pbkfs pbs key create /root/backup.key --kdf none",
        },
      ],
      environment: KEY_PLACE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { createKeyFile, lockKey, createParentDirectory } = await import(
      "#src/usecases/keys/key_files.ts"
    );
    const { keyCrypto } = await import("#src/codecs/key_crypto.ts");
    const { formatFingerprint, KEY_SIZE } = await import("#src/pbs/format/key_file.ts");
    const [given] = options.args;
    const path = given ?? knownPlace(defaultKeyPath(context));
    if (given === undefined && !output.isJson) {
      context.terminal.out(`creating default key at: ${JSON.stringify(path)}\n`);
    }
    const file = lockKey(keyCrypto.randomBytes(KEY_SIZE), keyLockOf(options, context));
    if (given === undefined) createParentDirectory(path);
    createKeyFile(path, file);
    if (output.isJson) {
      const fingerprint = formatFingerprint(file.fingerprint!);
      output.value({ type: "summary", path, kdf: options.kdf, fingerprint }, () => "");
    }
    return 0;
  },
};
