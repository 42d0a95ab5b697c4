/**
 * The keys that a command was given, ready for use.
 *
 * @module
 */

import { CryptConfig } from "#src/pbs/crypt/crypt_config.ts";
import { sealKey } from "#src/pbs/crypt/master_key.ts";
import type { CommandContext } from "../command.ts";
import { formatNow } from "#src/usecases/local_time.ts";
import {
  defaultKeys,
  describeOrigin,
  type KeyOptions,
  type KeyPlan,
  planReadKey,
} from "./key_choice.ts";
import type { BackupCrypt } from "#src/usecases/datastore/backup.ts";
import { loadKey, loadMasterKey } from "./key_loading.ts";
import type { Output } from "../output/output.ts";

/**
 * The key that snapshots are read with: the given one, else the one at the default place; undefined
 * without either.
 *
 * @throws {UsageError} when it cannot be read
 * @throws {FormatError} when it is no key file
 * @throws {AuthError} when the password is missing or wrong
 */
export async function readCryptConfig(
  options: KeyOptions,
  context: CommandContext,
): Promise<CryptConfig | undefined> {
  const origin = planReadKey(options, defaultKeys(context));
  if (origin === undefined) return undefined;
  return new CryptConfig((await loadKey(origin, context)).key);
}

/** The given key only; see {@link readCryptConfig}. */
export async function givenCryptConfig(
  options: KeyOptions,
  context: CommandContext,
): Promise<CryptConfig | undefined> {
  const isGiven = options.keyfile !== undefined || options.keyfd !== undefined;
  return isGiven ? await readCryptConfig(options, context) : undefined;
}

/**
 * Loads the keys of a backup, and tells people which they are.
 *
 * @throws {UsageError} when a key cannot be read
 * @throws {FormatError} when a key is none
 * @throws {AuthError} when the password is missing or wrong
 */
export async function loadBackupKeys(
  { mode, key, masterKey }: KeyPlan,
  context: CommandContext,
  output: Output,
): Promise<BackupCrypt> {
  if (key === undefined) return { mode, crypt: undefined, encryptedKey: undefined };
  const tell = (message: string) => {
    if (!output.isJson) context.terminal.err(`${message}\n`);
  };
  const unlocked = await loadKey(key, context);
  tell(describeOrigin(key, "encryption"));
  const crypt = new CryptConfig(unlocked.key);
  if (masterKey === undefined) return { mode, crypt, encryptedKey: undefined };
  tell(describeOrigin(masterKey, "master"));
  const encryptedKey = sealKey(
    await loadMasterKey(masterKey),
    { crypt, created: unlocked.file.created },
    formatNow(),
  );
  return { mode, crypt, encryptedKey };
}
