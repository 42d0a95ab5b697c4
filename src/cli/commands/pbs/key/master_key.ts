/**
 * `pbkfs pbs key create-master-key`, `import-master-pubkey` and `show-master-pubkey`: master keys.
 *
 * @module
 */

import { Command } from "commander";
import { Errno, OsError } from "#src/errors.ts";
import type { CommandModule } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { addNewPasswordOption, newPassword } from "../../../keys/key_lock_options.ts";
import {
  defaultMasterKeyPath,
  existingPath,
  KEY_PLACE_ENVIRONMENT,
  knownPlace,
} from "#src/usecases/keys/key_places.ts";
import {
  addFormatOptions,
  type FormatChoice,
  Output,
  OUTPUT_ENVIRONMENT,
} from "../../../output/output.ts";

interface CreateOptions extends FormatChoice {
  readonly passwordFile?: string;
}

interface PublicKeyOptions extends FormatChoice {
  readonly args: readonly string[];
}

const PUBLIC_NAME = "master-public.pem";
const PRIVATE_NAME = "master-private.pem";

/** Makes a master key. */
export const createMasterKeyCommand: CommandModule<CreateOptions> = {
  uses: ["read", "write", "ffi", "env"],

  describe() {
    const command = new Command("create-master-key")
      .description(`Make a master key: ${PUBLIC_NAME} and ${PRIVATE_NAME} in this directory`);
    return addHelpNotes(addFormatOptions(addNewPasswordOption(command)), {
      examples: [{
        text: "A master key; the private file belongs in the safe",
        line: "pbkfs pbs key create-master-key",
      }],
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    for (const name of [PRIVATE_NAME, PUBLIC_NAME]) {
      if (existingPath(name) !== undefined) throw new OsError(Errno.EEXIST, "create", name);
    }
    const password = newPassword(options.passwordFile, context, "Master Key Password: ");
    const { generateRsaKeys } = await import("#src/codecs/rsa.ts");
    const { writeNew } = await import("#src/usecases/keys/key_files.ts");
    const { publicPem, privatePem } = generateRsaKeys(password);
    // The private one first: a public one without it would lock keys for ever.
    for (const [name, pem] of [[PRIVATE_NAME, privatePem], [PUBLIC_NAME, publicPem]] as const) {
      writeNew(name, pem);
      if (!output.isJson) context.terminal.out(`Writing master key to ${name}\n`);
    }
    output.summary({ public_key: PUBLIC_NAME, private_key: PRIVATE_NAME });
    return 0;
  },
};

/** Makes a public master key the default one. */
export const importMasterKeyCommand: CommandModule<PublicKeyOptions> = {
  uses: ["read", "write", "ffi", "env"],

  describe() {
    const command = new Command("import-master-pubkey")
      .description("Use a public master key for all backups that have a key")
      .argument("<file>", "PEM document");
    return addHelpNotes(addFormatOptions(command), {
      examples: [{
        text: "Use a master key from now on",
        line: `pbkfs pbs key import-master-pubkey ${PUBLIC_NAME}`,
      }],
      environment: { ...KEY_PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readKeyText } = await import("#src/usecases/keys/secrets.ts");
    const { importMasterKey } = await import("#src/usecases/keys/key_files.ts");
    const { masterKeyInfo } = await import("#src/usecases/keys/key_records.ts");
    const { formatMasterKey } = await import("../../../output/key_info.ts");
    const pem = readKeyText(options.args[0]!);
    const info = masterKeyInfo(options.args[0]!, pem);
    const target = knownPlace(defaultMasterKeyPath(context));
    importMasterKey(target, pem);
    output.value(
      info,
      () =>
        `${formatMasterKey(info, output)}Imported public master key to ${JSON.stringify(target)}\n`,
    );
    return 0;
  },
};

/** Tells what a public master key is. */
export const showMasterKeyCommand: CommandModule<PublicKeyOptions> = {
  uses: ["read", "ffi", "env"],

  describe() {
    const command = new Command("show-master-pubkey")
      .description("Print modulus and exponent of a public master key")
      .argument("[path]", "PEM document; default is the default place");
    return addHelpNotes(addFormatOptions(command), {
      examples: [{
        text: "The one that backups use",
        line: "pbkfs pbs key show-master-pubkey",
      }],
      environment: { ...KEY_PLACE_ENVIRONMENT, ...OUTPUT_ENVIRONMENT },
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const { readKeyText } = await import("#src/usecases/keys/secrets.ts");
    const { masterKeyInfo } = await import("#src/usecases/keys/key_records.ts");
    const { formatMasterKey } = await import("../../../output/key_info.ts");
    const path = options.args[0] ?? knownPlace(defaultMasterKeyPath(context));
    const info = masterKeyInfo(path, readKeyText(path));
    output.value(info, () => formatMasterKey(info, output));
    return 0;
  },
};
