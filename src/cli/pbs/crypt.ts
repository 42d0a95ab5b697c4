/**
 * The keys that a command was given, ready for use.
 *
 * @module
 */

import { CryptConfig } from "#src/pbs/crypt_config.ts";
import type { CommandContext } from "../command.ts";
import { defaultKeys, type KeyOptions, planReadKey } from "./key_choice.ts";
import { loadKey } from "./key_files.ts";

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
