/**
 * `pbkfs pbs key import-with-master-key`: gets an encryption key back.
 *
 * @module
 */

import { Command } from "commander";
import { AuthError, UsageError } from "#src/errors.ts";
import type { KeyFile } from "#src/pbs/format/key_file.ts";
import { type CommandContext, type CommandModule, required } from "../../../command.ts";
import { addHelpNotes } from "../../../help.ts";
import { askPassword } from "../../../terminal/password.ts";
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
import { secretOfFile } from "#src/usecases/keys/secrets.ts";

interface ImportOptions extends FormatChoice, KeyLockOptions {
  readonly args: readonly string[];
  readonly masterKeyfile?: string;
  readonly masterPasswordFile?: string;
  readonly encryptedKeyfile?: string;
}

const FILE_SIZE_MAX = 1 << 20;

/** The command. */
export const importWithMasterKeyCommand: CommandModule<ImportOptions> = {
  uses: ["read", "write", "ffi", "env"],

  describe() {
    const command = new Command("import-with-master-key")
      .description("Get an encryption key back that a backup keeps, with the private master key")
      .argument("[path]", "key file to make; default is the default place")
      .option("--master-keyfile <file>", "private master key")
      .option("--encrypted-keyfile <file>", "what restoring rsa-encrypted.key has given")
      .option(
        "--master-password-file <file>",
        "file whose first line is the master key's password; default is to ask at the terminal",
      );
    return addHelpNotes(addFormatOptions(addKeyLockOptions(command)), {
      examples: [{
        text: "Get a key back",
        line: "pbkfs pbs restore host/db1 rsa-encrypted.key key.enc && pbkfs pbs key " +
          "import-with-master-key key.json --master-keyfile master-private.pem " +
          "--encrypted-keyfile key.enc",
      }, {
        text: "To the default place, from a script",
        line: "pbkfs pbs key import-with-master-key --master-keyfile master-private.pem " +
          "--encrypted-keyfile key.enc --kdf none --master-password-file password.txt",
      }],
      environment: KEY_PLACE_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const output = new Output(options, context);
    const pemPath = required(
      options.masterKeyfile,
      "--master-keyfile",
      "Give the private master key",
    );
    const path = required(
      options.encryptedKeyfile,
      "--encrypted-keyfile",
      "Give what `restore SNAPSHOT rsa-encrypted.key` writes",
    );
    const [given] = options.args;
    const target = given ?? knownPlace(defaultKeyPath(context));
    const { readKeyText } = await import("#src/usecases/keys/secrets.ts");
    const { hostFiles } = await import("#src/io/files/files.ts");
    const { unsealKey } = await import("#src/pbs/crypt/master_key.ts");
    const { createKeyFile, lockKey, createParentDirectory } = await import(
      "#src/usecases/keys/key_files.ts"
    );
    const { formatFingerprint } = await import("#src/pbs/format/key_file.ts");
    const pem = readKeyText(pemPath, "--master-keyfile");
    const content = hostFiles.read(path, FILE_SIZE_MAX);
    const open = (password: string | undefined) => unsealKey(pem, password, content);
    const plain = openMasterKey(open, options, context);
    const file = lockKey(plain.data, keyLockOf(options, context), plain.created);
    if (given === undefined) createParentDirectory(target);
    createKeyFile(target, file);
    const fingerprint = formatFingerprint(file.fingerprint!);
    output.summary({ path: target, kdf: options.kdf, fingerprint });
    return 0;
  },
};

/** Opens with the password that is given; asks for one only where it is needed. */
function openMasterKey(
  open: (password: string | undefined) => KeyFile,
  options: ImportOptions,
  { terminal }: CommandContext,
): KeyFile {
  const { masterPasswordFile: path } = options;
  if (path !== undefined) return open(secretOfFile(path, "--master-password-file"));
  try {
    return open(undefined);
  } catch (error) {
    if (!(error instanceof AuthError && error.code === "passphrase")) throw error;
  }
  const password = askPassword(terminal, "Master Key Password: ");
  if (password !== undefined) return open(password);
  throw new UsageError("Cannot ask for a password: standard input is not a terminal", {
    option: "--master-password-file",
    hint: "Give it with --master-password-file",
  });
}
