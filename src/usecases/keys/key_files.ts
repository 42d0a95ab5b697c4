/**
 * Files with encryption keys: locking keys, writing the files.
 *
 * @module
 */

import { hostFiles } from "#src/io/files/files.ts";
import { dirname } from "node:path";
import { keyCrypto } from "#src/codecs/key_crypto.ts";
import { Errno, OsError } from "#src/errors.ts";
import { callRuntime } from "#src/io/files/runtime_call.ts";
import {
  formatKeyFile,
  type KeyDerivation,
  type KeyFile,
  makeKeyFile,
} from "#src/pbs/format/key_file.ts";
import { formatNow } from "../local_time.ts";

/** How a key is to be locked. */
export interface KeyLock {
  readonly kind: KeyDerivation["kind"];
  /** Undefined for `none`. */
  readonly passphrase: Uint8Array | undefined;
  readonly hint: string | undefined;
}

const KEY_MODE = 0o600;
const DIRECTORY_MODE = 0o700;

/** The key file for a new key, or for one that was there with another lock: `created` is when. */
export function lockKey(key: Uint8Array, lock: KeyLock, created?: string): KeyFile {
  const { kind, passphrase, hint } = lock;
  return makeKeyFile({
    key,
    kind,
    now: formatNow(),
    created,
    passphrase,
    hint,
  }, keyCrypto);
}

/**
 * Writes a new key file that only its owner can read. @throws {OsError} EEXIST when there is
 * something of that name
 */
export function createKeyFile(path: string, file: KeyFile): void {
  writeNew(path, formatKeyFile(file));
}

/** Replaces a key file; there is always the old or the new one. @throws {OsError} */
export function replaceKeyFile(path: string, file: KeyFile): void {
  replace(path, formatKeyFile(file));
}

/**
 * Makes a public master key the default one; there may be another one already. @throws {OsError}
 */
export function importMasterKey(path: string, pem: string): void {
  createParentDirectory(path);
  replace(path, pem);
}

function replace(path: string, text: string): void {
  // A key may have been read from a FIFO; nobody wants a file in place of that, or of a device.
  if (hostFiles.status(path, false)?.kind === "other") {
    throw new OsError(Errno.EEXIST, "replace (not a regular file)", path);
  }
  write(path, text, true);
}

/** Makes the directory of a default place. @throws {OsError} */
export function createParentDirectory(path: string): void {
  const directory = dirname(path);
  callRuntime("make directory", directory, () => {
    Deno.mkdirSync(directory, { recursive: true, mode: DIRECTORY_MODE });
  });
}

/**
 * Writes a new file that only its owner can read, and waits for the disk. @throws {OsError} EEXIST
 * when there is one
 */
export function writeNew(path: string, text: string): void {
  write(path, text, false);
}

function write(path: string, text: string, isReplacing: boolean): void {
  const file = hostFiles.create(path, { mode: KEY_MODE, isDurable: true, isReplacing });
  try {
    file.write(new TextEncoder().encode(text));
    file.finish();
  } catch (error) {
    file.abort();
    throw error;
  }
}
