/**
 * The keys that a command was given, ready for use.
 *
 * @module
 */

import { CryptConfig } from "#src/pbs/crypt_config.ts";
import { sealKey } from "#src/pbs/master_key.ts";
import type { CryptMode } from "#src/pbs/format/crypt.ts";
import type { CommandContext } from "../command.ts";
import { formatLocalTime } from "../local_time.ts";
import {
  type BackupKeyOptions,
  defaultKeys,
  describeOrigin,
  type KeyOptions,
  planBackupKeys,
  planReadKey,
} from "./key_choice.ts";
import { loadKey, loadMasterKey } from "./key_files.ts";

/** What a backup does with which keys. */
export interface BackupKeys {
  readonly mode: CryptMode;
  /** Undefined for mode `none`. */
  readonly crypt: CryptConfig | undefined;
  /** The key, encrypted by a master key: content of `rsa-encrypted.key.blob`. */
  readonly encryptedKey: Uint8Array<ArrayBuffer> | undefined;
  /** What there is to tell of the keys, line by line. */
  readonly messages: readonly string[];
}

/**
 * The key that snapshots are read with: the given one, else the one at the default place; undefined without either.
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
 * The keys of a backup, by the table in the specification of the datastore, section 11.
 *
 * @throws {UsageError} when what is asked for does not fit together, or a key cannot be read
 * @throws {FormatError} when a key is none
 * @throws {AuthError} when the password is missing or wrong
 */
export async function backupKeys(
  options: BackupKeyOptions,
  context: CommandContext,
): Promise<BackupKeys> {
  const { mode, key, masterKey } = planBackupKeys(options, defaultKeys(context));
  if (key === undefined) {
    return { mode, crypt: undefined, encryptedKey: undefined, messages: [] };
  }
  const messages = [describeOrigin(key, "encryption")];
  const unlocked = await loadKey(key, context);
  const crypt = new CryptConfig(unlocked.key);
  if (masterKey === undefined) return { mode, crypt, encryptedKey: undefined, messages };
  messages.push(describeOrigin(masterKey, "master"));
  const encryptedKey = sealKey(
    await loadMasterKey(masterKey),
    { crypt, created: unlocked.file.created },
    formatLocalTime(new Date()),
  );
  return { mode, crypt, encryptedKey, messages };
}
