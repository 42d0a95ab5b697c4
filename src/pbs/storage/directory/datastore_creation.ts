/**
 * Makes datastores. Needs FFI.
 *
 * @module
 */

import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { renameFile } from "#src/io/files/whole_file.ts";
import { Errno, OsError, StateError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { CHUNK_DIRECTORY_MODE, CHUNKS_DIRECTORY } from "./directory_chunks.ts";
import type { CreateOptions, FileOwner } from "./directory_options.ts";
import { LOCK_FILE } from "./process_lock.ts";
import { neededOwner, processUmask, StoreFiles } from "./store_files.ts";

const CHUNK_DIRECTORY_COUNT = 65536;
/** What a new file system has. */
const LOST_AND_FOUND = "lost+found";
const UNFINISHED_CHUNKS_DIRECTORY = `${CHUNKS_DIRECTORY}.new`;

/**
 * Makes a datastore in a directory that is new or empty: the lock file and all directories of
 * chunks. For root everything gets the owner that is asked for, else that of the directory (of the
 * one above where it is new).
 *
 * @throws {StateError} `exists` when there is something already
 * @throws {OsError}
 */
export function createDatastore(path: string, options: CreateOptions = {}): void {
  if (isDirectory(`${path}/${CHUNKS_DIRECTORY}`)) {
    throw new StateError("exists", `Cannot make a datastore in "${path}": there is one`, {
      hint: "Use it as it is",
    });
  }
  // What was begun before may be gone on with.
  const harmless = [LOST_AND_FOUND, UNFINISHED_CHUNKS_DIRECTORY];
  if (
    hostFiles.status(path) !== undefined &&
    hostFiles.entries(path).some(({ name }) => !harmless.includes(name))
  ) {
    throw new StateError("exists", `Cannot make a datastore in "${path}": it is not empty`, {
      hint: "Give a directory that is empty or not there yet",
    });
  }
  const owner = options.owner ?? ownerOf(isDirectory(path) ? path : parentOf(path), path);
  const files = new StoreFiles(owner, "none");
  if (!files.makeDirectory(path)) giveAway(path, owner);
  makeChunkDirectories(path, files, owner);
  files.createEmpty(`${path}/${LOCK_FILE}`);
}

/** All of them under a name of their own first: a directory with `.chunks` is a whole datastore. */
function makeChunkDirectories(path: string, files: StoreFiles, owner: FileOwner): void {
  const temporary = `${path}/${UNFINISHED_CHUNKS_DIRECTORY}`;
  files.makeDirectory(temporary, CHUNK_DIRECTORY_MODE);
  const { RDONLY, DIRECTORY } = host.OpenFlag;
  const directory = host.unwrap(host.open(temporary, RDONLY | DIRECTORY), "open", temporary);
  try {
    const needed = neededOwner(owner);
    const isMasked = (processUmask() & CHUNK_DIRECTORY_MODE) !== 0;
    for (let number = 0; number < CHUNK_DIRECTORY_COUNT; number++) {
      const name = number.toString(16).padStart(4, "0");
      let result = host.mkdirAt(directory, name, CHUNK_DIRECTORY_MODE);
      if (result === 0 && isMasked) result = host.chmodAt(directory, name, CHUNK_DIRECTORY_MODE);
      if (result === 0 && needed !== undefined) {
        result = host.chownAt(directory, name, needed.uid, needed.gid);
      }
      if (result < 0 && result !== -Errno.EEXIST) {
        throw new OsError(-result, "create", `${temporary}/${name}`);
      }
    }
  } finally {
    host.close(directory);
  }
  renameFile(temporary, `${path}/${CHUNKS_DIRECTORY}`, false);
}

function ownerOf(directory: string, path: string): FileOwner {
  const status = hostFiles.status(directory);
  if (status === undefined) throw new OsError(Errno.ENOENT, "create", path);
  return status;
}

function giveAway(path: string, owner: FileOwner): void {
  const needed = neededOwner(owner);
  if (needed === undefined) return;
  host.unwrap(host.lchown(path, needed.uid, needed.gid), "chown", path);
}

function parentOf(path: string): string {
  const parent = path.replace(/\/+$/, "").replace(/[^/]*$/, "");
  return parent === "" ? "." : parent;
}
