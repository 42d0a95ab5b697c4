/**
 * Options by which commands are told how to lock a key that they write.
 *
 * @module
 */

import { type Command, Option } from "commander";
import { UsageError } from "#src/errors.ts";
import type { CommandContext } from "../command.ts";
import { askNewPassword, checkNewPassword } from "../terminal/password.ts";
import type { KeyLock } from "#src/usecases/keys/key_files.ts";
import { secretOfFile } from "#src/usecases/keys/secrets.ts";

/** Values of {@link addKeyLockOptions}. */
export interface KeyLockOptions {
  readonly kdf: KeyLock["kind"];
  readonly hint?: string;
  readonly passwordFile?: string;
}

/** The options that say how a key is locked. */
export function addKeyLockOptions(command: Command): Command {
  return addNewPasswordOption(
    command
      .addOption(
        new Option("--kdf <kind>", "how the password locks the key; none: there is no password")
          .choices(["none", "scrypt", "pbkdf2"]).default("scrypt"),
      )
      .option("--hint <text>", "hint at the password, stored in the open"),
  );
}

/** The option that names a file with a new password. */
export function addNewPasswordOption(command: Command): Command {
  return command.option(
    "--password-file <file>",
    "file whose first line is the new password; default is to ask at the terminal",
  );
}

/** How a key is to be locked; asks for the password. @throws {UsageError} */
export function keyLockOf(options: KeyLockOptions, context: CommandContext): KeyLock {
  const { kdf: kind, hint } = options;
  if (kind !== "none") {
    const password = newPassword(options.passwordFile, context, "Encryption Key Password: ");
    return { kind, passphrase: new TextEncoder().encode(password), hint };
  }
  if (hint !== undefined) {
    throw new UsageError("password hint not allowed for Kdf::None", { option: "--hint" });
  }
  if (options.passwordFile !== undefined) {
    throw new UsageError("Cannot use --password-file with --kdf none", {
      option: "--password-file",
    });
  }
  return { kind, passphrase: undefined, hint: undefined };
}

/** A new password, from a file or the terminal. @throws {UsageError} */
export function newPassword(
  path: string | undefined,
  { terminal }: CommandContext,
  question: string,
): string {
  const password = path === undefined
    ? askNewPassword(terminal, question)
    : secretOfFile(path, "--password-file");
  if (password === undefined) {
    throw new UsageError("Cannot ask for a password: standard input is not a terminal", {
      option: "--password-file",
      hint: "Give it with --password-file",
    });
  }
  checkNewPassword(password);
  return password;
}
