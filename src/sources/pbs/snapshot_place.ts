/**
 * Where in a datastore a file or directory lies.
 *
 * @module
 */

import { StateError, UsageError } from "#src/errors.ts";
import { hostFiles, isDirectory } from "#src/io/files/files.ts";
import { parseNamespace, parseSnapshot, type SnapshotId } from "#src/pbs/format/snapshot_path.ts";
import { CHUNKS_DIRECTORY } from "#src/pbs/storage/directory/directory_chunks.ts";

/** Where an index is. */
export interface IndexPlace {
  /** The directory with the chunks in `.chunks`. */
  readonly storePath: string;
  /** Name of the file, such as `root.pxar.didx`. */
  readonly file: string;
  /** Undefined where the index lies beside `.chunks`, in no snapshot. */
  readonly snapshot: SnapshotId | undefined;
}

/**
 * Finds the chunks for an index: those of the datastore that it lies in.
 *
 * @throws {OsError} when there is no such file
 * @throws {StateError} `not-found` when there are no chunks beside or above it
 * @throws {UsageError} when it lies in a datastore but in no snapshot
 */
export function locateIndex(path: string): IndexPlace {
  const { storePath, names } = findStore(path);
  const file = names.at(-1)!;
  const above = names.slice(0, -1);
  return { storePath, file, snapshot: above.length === 0 ? undefined : snapshotAt(above, path) };
}

/** A snapshot in a datastore. */
export interface SnapshotPlace {
  readonly storePath: string;
  readonly snapshot: SnapshotId;
}

/** As {@link locateIndex}, of the directory of a snapshot. @throws the same */
export function locateSnapshot(path: string): SnapshotPlace {
  const { storePath, names } = findStore(path);
  return { storePath, snapshot: snapshotAt(names, path) };
}

/** The datastore above `path`, and the names that lead from there to it, at least one. */
function findStore(path: string): { storePath: string; names: string[] } {
  const names = hostFiles.realPath(path).split("/");
  for (let depth = names.length - 1; depth >= 1; depth--) {
    const storePath = names.slice(0, depth).join("/");
    if (isDirectory(`${storePath}/${CHUNKS_DIRECTORY}`)) {
      return { storePath, names: names.slice(depth) };
    }
  }
  throw new StateError("not-found", `Cannot find the chunks of "${path}"`, {
    hint:
      `An index is read where it lies in a datastore, or beside a directory ${CHUNKS_DIRECTORY}`,
  });
}

/** Reads `ns/NAME/…/TYPE/ID/TIME`. */
function snapshotAt(names: readonly string[], path: string): SnapshotId {
  const above = names.slice(0, -3);
  if (above.length % 2 !== 0 || above.some((name, index) => index % 2 === 0 && name !== "ns")) {
    throw new UsageError(`Cannot read "${path}": it lies in no snapshot of its datastore`);
  }
  const ns = parseNamespace(above.filter((_, index) => index % 2 === 1).join("/"));
  return parseSnapshot(names.slice(-3).join("/"), ns);
}
