/**
 * `pbkfs pxar keygen`: makes an encryption key for backups.
 *
 * @module
 */

import { Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import {
  type CommandContext,
  type CommandModule,
  formatOption,
  type FormatOptions,
} from "../../command.ts";
import { addHelpNotes } from "../../help.ts";
import { formatNow } from "#src/usecases/local_time.ts";
import {
  KEY_PASSWORD,
  KEY_PASSWORD_ENVIRONMENT,
  secretOf,
  secretOfFile,
} from "#src/usecases/keys/secrets.ts";
import { askNewPassword, checkNewPassword } from "../../terminal/password.ts";
import { writeNew } from "#src/usecases/keys/key_files.ts";
import { PASSWORD_PROGRAM } from "../../datastore/store_uses.ts";

interface KeygenOptions extends FormatOptions {
  readonly args: readonly string[];
  readonly kdf?: "none" | "scrypt" | "pbkdf2";
  readonly password?: string;
  readonly passwordFile?: string;
  readonly hint?: string;
  readonly dryRun?: boolean;
}

/** The command. */
export const keygenCommand: CommandModule<KeygenOptions> = {
  uses: ["read", "write", "ffi", "env", PASSWORD_PROGRAM],

  describe() {
    const command = new Command("keygen")
      .description("Make an encryption key file for backups")
      .argument("[file]", "file to make, readable by its owner only; default is standard output")
      .addOption(
        new Option(
          "--kdf <kind>",
          "how the password, which is asked for at the terminal, locks the key; default with one: scrypt, without: none",
        )
          .choices(["none", "scrypt", "pbkdf2"]),
      )
      .option("--password <text>", "password; other users may see it in the list of processes")
      .option("--password-file <path>", "file whose first line is the password")
      .option("--hint <text>", "hint at the password, stored in the open")
      .option("--dry-run", "do everything but write")
      .addOption(formatOption());
    return addHelpNotes(command, {
      examples: [
        { text: "A key without a password", line: "pbkfs pxar keygen backup.key" },
        {
          text: "A key that only a password opens, which is asked for",
          line: "pbkfs pxar keygen backup.key --kdf scrypt",
        },
      ],
      environment: KEY_PASSWORD_ENVIRONMENT,
    });
  },

  async run(options, context) {
    const [path] = options.args;
    const passphrase = await choosePassphrase(options, context);
    const kind = options.kdf ?? (passphrase === undefined ? "none" : "scrypt");
    checkKind(kind, passphrase, options.hint);
    const { keyCrypto } = await import("#src/codecs/key_crypto.ts");
    const { formatFingerprint, formatKeyFile, KEY_SIZE, makeKeyFile } = await import(
      "#src/pbs/format/key_file.ts"
    );
    const file = makeKeyFile({
      key: keyCrypto.randomBytes(KEY_SIZE),
      kind,
      now: formatNow(),
      passphrase,
      hint: options.hint,
    }, keyCrypto);
    if (options.dryRun === true) return 0;
    const text = formatKeyFile(file) + "\n";
    if (path === undefined || path === "-") {
      context.terminal.out(text);
      return 0;
    }
    writeNew(path, text);
    if (options.format === "json") {
      const fingerprint = formatFingerprint(file.fingerprint!);
      const summary = { type: "summary", path, kdf: kind, fingerprint };
      context.terminal.out(JSON.stringify(summary) + "\n");
    }
    return 0;
  },
};

/** A password that is given locks the key, unless --kdf says otherwise. */
async function choosePassphrase(
  options: KeygenOptions,
  context: CommandContext,
): Promise<Uint8Array | undefined> {
  if (options.password !== undefined && options.passwordFile !== undefined) {
    throw new UsageError("Cannot use both --password and --password-file", {
      option: "--password-file",
    });
  }
  const { kdf, hint } = options;
  const isWanted = kdf === undefined ? hint !== undefined : kdf !== "none";
  const text = options.password ??
    (options.passwordFile === undefined
      ? undefined
      : secretOfFile(options.passwordFile, "--password-file")) ??
    (kdf === "none" ? undefined : await secretOf(KEY_PASSWORD, context)) ??
    (isWanted ? askNewPassword(context.terminal, "Encryption Key Password: ") : undefined);
  if (text === undefined) return undefined;
  checkNewPassword(text);
  return new TextEncoder().encode(text);
}

function checkKind(
  kind: "none" | "scrypt" | "pbkdf2",
  passphrase: Uint8Array | undefined,
  hint: string | undefined,
): void {
  if (kind === "none" && passphrase !== undefined) {
    throw new UsageError("Cannot use a password with --kdf none", { option: "--kdf" });
  }
  if (kind === "none" && hint !== undefined) {
    throw new UsageError("Cannot use --hint: without a password there is nothing to hint at", {
      option: "--hint",
    });
  }
  if (kind !== "none" && passphrase === undefined) {
    throw new UsageError(`Cannot use --kdf ${kind}: a password is required`, {
      option: "--kdf",
      hint: `Give it at a terminal, with --password-file or ${KEY_PASSWORD}`,
    });
  }
}
