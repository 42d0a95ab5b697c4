/**
 * The directories that a promotion makes: whether they may be made, and the trees beside them until
 * they are complete.
 *
 * @module
 */

import { dirname } from "node:path";
import { OsError, StateError, UsageError } from "#src/errors.ts";
import * as host from "#ffi/libc/calls.ts";
import { isWithin } from "#src/io/absolute_path.ts";
import { hostFiles } from "#src/io/files/files.ts";
import { syncDirectory } from "#src/io/files/whole_file.ts";
import { BINDING_FILE_NAME } from "#src/overlay/binding_name.ts";
import { realPathOfMissing } from "#src/overlay/diff_place.ts";
import { removeHostTree } from "#src/overlay/host_directory.ts";
import type { PromotedPlace } from "#src/overlay/promotion/promotion_record.ts";

const { Errno, OpenFlag } = host;

/**
 * The same places with paths without links, if all of them can be made.
 *
 * @throws {UsageError} `overlap`, or for a place on another file system
 * @throws {StateError} `exists` when something is there
 * @throws {OsError} when the directory that one is to be in is not there, or not writable
 */
export function requirePlaces(
  places: readonly PromotedPlace[],
  diffPath: string,
  bindingId: string,
): PromotedPlace[] {
  const resolved = places.map((place) => ({ ...place, to: realPathOfMissing(place.to) }));
  refuseOverlap([...resolved.map(({ to }) => to), diffPath]);
  for (const { to } of resolved) requireFree(to);
  for (const [index, { to }] of resolved.entries()) {
    requireSameFileSystem(to, diffPath, besideOf({ to }, index, bindingId));
  }
  return resolved;
}

function refuseOverlap(paths: readonly string[]): void {
  for (const [index, one] of paths.entries()) {
    for (const other of paths.slice(index + 1)) {
      if (!isWithin(one, other) && !isWithin(other, one)) continue;
      throw new UsageError(`Cannot promote: "${one}" and "${other}" overlap`, {
        code: "overlap",
        hint: "Give places of which none is inside another, nor in the diff directory",
      });
    }
  }
}

function requireFree(path: string): void {
  const status = hostFiles.status(path);
  if (status === undefined) return;
  const isEmpty = status.kind === "directory" && hostFiles.entries(path).length === 0;
  if (isEmpty) return;
  throw new StateError("exists", `Cannot promote to "${path}": something is there`, {
    hint: "Give an empty directory, or a name that is not taken",
  });
}

/** Names in one file system are made of names in the other by links alone. */
function requireSameFileSystem(path: string, diffPath: string, probe: string): void {
  const { FDCWD } = host.At;
  const linked = host.linkAt(FDCWD, `${diffPath}/${BINDING_FILE_NAME}`, FDCWD, probe);
  if (linked === 0) host.unlink(probe);
  const [own, parent] = [new host.HostStat(), new host.HostStat()];
  const isMountPoint = host.lstat(path, own) === 0 && host.lstat(dirname(path), parent) === 0 &&
    own.device !== parent.device;
  if (linked === -Errno.EXDEV || isMountPoint) {
    throw new UsageError(
      `Cannot promote to "${path}": it is on another file system than the diff directory, and ` +
        "files are not copied",
      { hint: `Give a directory on the file system of "${diffPath}"`, option: "target" },
    );
  }
  if (linked === 0 || linked === -Errno.EEXIST) return;
  throw new OsError(-linked, "promote", path);
}

/** Where the tree of a place is made: beside it, under a name that nothing else has. */
export function besideOf({ to }: { to: string }, index: number, bindingId: string): string {
  const parent = dirname(to);
  return `${parent === "/" ? "" : parent}/.pbkfs-${bindingId}-${index}`;
}

/** Makes an empty directory for a tree; what an earlier attempt left goes. @throws {OsError} */
export function makeBeside(path: string): void {
  removeTree(path);
  host.unwrap(host.mkdir(path, 0o700), "make directory", path);
}

/** Removes a tree of links, if there is one. @throws {OsError} */
export function removeTree(path: string): void {
  const parent = host.open(dirname(path), OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (parent === -Errno.ENOENT) return;
  host.unwrap(parent, "open", dirname(path));
  try {
    const name = path.slice(path.lastIndexOf("/") + 1);
    removeHostTree(parent, name);
    if (inodeAt(path) !== undefined) throw new OsError(Errno.ENOTEMPTY, "remove", path);
  } finally {
    host.close(parent);
  }
}

/** Gives a complete tree its name, durably; it has it already after a kill. @throws {OsError} */
export function moveIntoPlace(beside: string, { to, inode }: PromotedPlace): void {
  if (inode === undefined || inodeAt(to) !== inode) {
    host.unwrap(host.rename(beside, to), "rename", to);
  }
  syncDirectory(dirname(to));
}

/** Whether the tree that was made for a place is there. */
export function isInPlace({ to, inode }: PromotedPlace): boolean {
  return inode !== undefined && inodeAt(to) === inode;
}

/** The number of what is at a path. */
export function inodeAt(path: string): number | undefined {
  const stat = new host.HostStat();
  return host.lstat(path, stat) === 0 ? stat.ino : undefined;
}
