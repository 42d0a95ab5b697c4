/**
 * Keys from files and descriptors, unlocked with a password from the environment or the terminal.
 *
 * @module
 */

import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { AuthError } from "#src/errors.ts";
import {
  type KeyFile,
  parseKeyFile,
  PASSPHRASE_SIZE_MIN,
  unlockKey,
} from "#src/pbs/format/key_file.ts";
import type { CommandContext } from "../command.ts";
import { askPassword } from "../terminal/password.ts";
import { showMessage } from "#src/bytes/quoting.ts";
import { describeOrigin, type KeySource } from "./key_choice.ts";
import { parseKeyFileOf } from "#src/usecases/keys/key_file_reading.ts";
import { KEY_PASSWORD, readDescriptor, readKeyText, secretOf } from "#src/usecases/keys/secrets.ts";

/** A key that can be used, and the file it is from. */
export interface UnlockedKey {
  /** The 32 bytes. */
  readonly key: Uint8Array;
  readonly file: KeyFile;
}

/**
 * Reads and unlocks a key. The password comes with the environment, else from whoever sits at the
 * terminal.
 *
 * @throws {UsageError} when it cannot be read
 * @throws {FormatError} when it is no key file
 * @throws {AuthError} when the password is missing or wrong
 */
export async function loadKey(origin: KeySource, context: CommandContext): Promise<UnlockedKey> {
  const text = await readOrigin(origin, "--keyfile", "--keyfd");
  const file = origin.kind === "descriptor"
    ? parseKeyFile(text)
    : parseKeyFileOf(origin.place, text);
  try {
    return await unlockKeyFile(file, context);
  } catch (error) {
    context.terminal.err(describeOrigin(origin, "encryption") + "\n");
    throw error;
  }
}

/** Reads a public master key: a PEM document. @throws {UsageError} when it cannot be read */
export async function loadMasterKey(origin: KeySource): Promise<string> {
  return await readOrigin(origin, "--master-pubkey-file", "--master-pubkey-fd");
}

/** Unlocks a key; see {@link loadKey}. @throws {AuthError} when the password is missing or wrong */
export async function unlockKeyFile(file: KeyFile, context: CommandContext): Promise<UnlockedKey> {
  if (file.derivation.kind === "none") return { file, key: unlockKey(file, undefined, keyCrypto) };
  const password = await secretOf(KEY_PASSWORD, context) ??
    askPassword(context.terminal, "Encryption Key Password: ");
  if (password === undefined) {
    throw new AuthError("Unable to decrypt key: no password input mechanism available", {
      code: "passphrase",
      hint: `Give the password in ${KEY_PASSWORD}, or run on a terminal`,
    });
  }
  const passphrase = new TextEncoder().encode(password);
  if (passphrase.length < PASSPHRASE_SIZE_MIN) {
    throw new AuthError("Passphrase is too short!", { code: "passphrase" });
  }
  try {
    return { file, key: unlockKey(file, passphrase, keyCrypto) };
  } catch (cause) {
    if (!(cause instanceof AuthError && cause.code === "passphrase")) throw cause;
    const hint = file.hint === undefined ? "" : ` (password hint: ${showMessage(file.hint)})`;
    throw new AuthError(`Unable to decrypt key${hint}`, { code: "passphrase", cause });
  }
}

function readOrigin({ kind, place }: KeySource, flag: string, fdFlag: string): Promise<string> {
  return kind === "descriptor"
    ? readDescriptor(place, fdFlag)
    : Promise.resolve(readKeyText(place, flag));
}
