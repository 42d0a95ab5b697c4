/**
 * A diff directory that is read, not mounted: as what a branch is made over, or to be copied.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { StateError } from "#src/errors.ts";
import type { Binding } from "./binding.ts";
import { DIRTY_FILE_NAME, requireBinding } from "./diff_directory.ts";
import { acquireDiffReadLock } from "./diff_lock.ts";
import { realPathOfMissing } from "./diff_place.ts";
import { requireNotPromoted } from "./promotion/promotion_record.ts";

/** A diff directory that nobody mounts as long as this is open. */
export interface DiffReader extends Disposable {
  /** Absolute path without links. */
  readonly path: string;
  readonly binding: Binding;
  /** The bytes by which the diff's own files are recognised. */
  readonly nonce: Uint8Array;
}

/**
 * Opens a diff directory to be read. Whoever reads it shares it with other readers.
 *
 * @throws {StateError} `not-found` when it is none, `foreign-diff` when another tool made it,
 *   `locked` when it is mounted, `promoted`, `dirty` when its last mount did not end cleanly
 * @throws {FormatError} when the record is damaged
 * @throws {OsError}
 */
export function openDiffReader(path: string): DiffReader {
  const absolute = realPathOfMissing(path);
  // Before the lock, which would leave its file in a directory of something else.
  requireBinding(absolute, "read");
  const lock = acquireDiffReadLock(absolute);
  try {
    const binding = requireBinding(absolute, "read");
    requireNotPromoted(binding, absolute, "read");
    requireClean(absolute, binding);
    return {
      path: absolute,
      binding,
      nonce: Uint8Array.fromHex(binding.nonce),
      [Symbol.dispose]: () => lock.release(),
    };
  } catch (error) {
    lock.release();
    throw error;
  }
}

/** Whether the last mount of a diff directory ended as it should, and nothing was lost. */
export function isCleanlyEnded(path: string, { state }: Binding): boolean {
  return state === "Released" && host.lstat(`${path}/${DIRTY_FILE_NAME}`) !== 0;
}

/** What a killed mount has left is put right by the next one, which may write. */
function requireClean(path: string, binding: Binding): void {
  if (isCleanlyEnded(path, binding)) return;
  throw new StateError(
    "dirty",
    `Cannot read diff directory "${path}": its last mount did not end cleanly`,
    { hint: "Mount it once more and unmount it: that makes all that was written durable" },
  );
}
