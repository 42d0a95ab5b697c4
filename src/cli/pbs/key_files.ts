/**
 * Files with encryption keys: reading them, unlocking them, writing them.
 *
 * @module
 */

import { dirname } from "node:path";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { AuthError, Errno, OsError } from "#src/errors.ts";
import { translating } from "#src/io/fs_file_source.ts";
import { statusOf } from "#src/io/store_access.ts";
import {
  formatKeyFile,
  type KeyDerivation,
  type KeyFile,
  makeKeyFile,
  parseKeyFile,
  PASSPHRASE_SIZE_MIN,
  unlockKey,
} from "#src/pbs/format/key_file.ts";
import type { CommandContext } from "../command.ts";
import { formatNow } from "../local_time.ts";
import { askPassword } from "../password.ts";
import { showMessage } from "../pxar/quoting.ts";
import { describeOrigin, type KeyOrigin } from "./key_choice.ts";
import { parseKeyFileOf } from "./key_file_reading.ts";
import { KEY_PASSWORD, readDescriptor, readKeyText, secretOf } from "./secrets.ts";

/** A key that can be used, and the file it is from. */
export interface UnlockedKey {
  /** The 32 bytes. */
  readonly key: Uint8Array;
  readonly file: KeyFile;
}

/** How a key is to be locked. */
export interface KeyLock {
  readonly kind: KeyDerivation["kind"];
  /** Undefined for `none`. */
  readonly passphrase: Uint8Array | undefined;
  readonly hint: string | undefined;
}

const KEY_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/**
 * Reads and unlocks a key. The password comes with the environment, else from whoever sits at the terminal.
 *
 * @throws {UsageError} when it cannot be read
 * @throws {FormatError} when it is no key file
 * @throws {AuthError} when the password is missing or wrong
 */
export async function loadKey(origin: KeyOrigin, context: CommandContext): Promise<UnlockedKey> {
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
export async function loadMasterKey(origin: KeyOrigin): Promise<string> {
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

/** The key file for a new key, or for one that was there with another lock: `created` is when. */
export function lockKey(key: Uint8Array, lock: KeyLock, created?: string): KeyFile {
  const { kind, passphrase, hint } = lock;
  return makeKeyFile({
    key,
    kind,
    now: formatNow(),
    ...(created === undefined ? {} : { created }),
    ...(passphrase === undefined ? {} : { passphrase }),
    ...(hint === undefined ? {} : { hint }),
  }, keyCrypto);
}

/** Writes a new key file that only its owner can read. @throws {OsError} EEXIST when there is something of that name */
export function createKeyFile(path: string, file: KeyFile): void {
  writeNew(path, formatKeyFile(file));
}

/** Replaces a key file; there is always the old or the new one. @throws {OsError} */
export function replaceKeyFile(path: string, file: KeyFile): void {
  replace(path, formatKeyFile(file));
}

/** Makes a public master key the default one; there may be another one already. @throws {OsError} */
export function importMasterKey(path: string, pem: string): void {
  makePlace(path);
  replace(path, pem);
}

function replace(path: string, text: string): void {
  // A key may have been read from a FIFO; nobody wants a file in place of that, or of a device.
  if (statusOf(path, false)?.kind === "other") {
    throw new OsError(Errno.EEXIST, "replace (not a regular file)", path);
  }
  const temporary = `${path}.${crypto.randomUUID()}`;
  writeNew(temporary, text);
  try {
    translating("replace", path, () => Deno.renameSync(temporary, path));
  } catch (error) {
    Deno.removeSync(temporary);
    throw error;
  }
}

/** Makes the directory of a default place. @throws {OsError} */
export function makePlace(path: string): void {
  const directory = dirname(path);
  translating("make directory", directory, () => {
    Deno.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  });
}

/** Writes a new file that only its owner can read, and waits for the disk. @throws {OsError} EEXIST when there is one */
export function writeNew(path: string, text: string): void {
  using file = translating(
    "create",
    path,
    () => Deno.openSync(path, { write: true, createNew: true, mode: KEY_MODE }),
  );
  try {
    translating("write", path, () => {
      const bytes = new TextEncoder().encode(text);
      for (let rest = bytes; rest.length > 0;) rest = rest.subarray(file.writeSync(rest));
      file.syncSync();
    });
  } catch (error) {
    Deno.removeSync(path);
    throw error;
  }
}

function readOrigin({ kind, place }: KeyOrigin, flag: string, fdFlag: string): Promise<string> {
  return kind === "descriptor"
    ? readDescriptor(place, fdFlag)
    : Promise.resolve(readKeyText(place, flag));
}
