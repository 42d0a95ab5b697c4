/**
 * libc for files by their paths: what the calls of `files.ts` and `directories.ts` do with names in
 * a directory. Nothing here follows a symbolic link as last component but {@link stat} and
 * {@link chmod}.
 *
 * Conventions as in `calls.ts`: a value or a negative errno.
 *
 * @module
 */

import {
  At,
  linkAt,
  mkdirAt,
  readlinkAt,
  renameAt,
  rmdirAt,
  symlinkAt,
  unlinkAt,
} from "./directories.ts";
import { chmodAt, chownAt, HostStat, statAt, utimensAt } from "./attributes.ts";

const { FDCWD } = At;

/** stat(2). */
export function stat(path: string, out: HostStat = new HostStat()): number {
  return statAt(FDCWD, path, out, true);
}

/** lstat(2). */
export function lstat(path: string, out: HostStat = new HostStat()): number {
  return statAt(FDCWD, path, out);
}

/** mkdir(2). */
export function mkdir(path: string, mode: number): number {
  return mkdirAt(FDCWD, path, mode);
}

/** symlink(2). */
export function symlink(target: string, path: string): number {
  return symlinkAt(target, FDCWD, path);
}

/** link(2) of an open file, also of one without a name. */
export function linkFd(fd: number, path: string): number {
  return linkAt(FDCWD, `/proc/self/fd/${fd}`, FDCWD, path, true);
}

/** unlink(2). */
export function unlink(path: string): number {
  return unlinkAt(FDCWD, path);
}

/** rmdir(2). */
export function rmdir(path: string): number {
  return rmdirAt(FDCWD, path);
}

/** rename(2); with {@link RenameFlag} renameat2(2). */
export function rename(path: string, newPath: string, flags = 0): number {
  return renameAt(FDCWD, path, FDCWD, newPath, flags);
}

/** readlink(2). */
export function readlink(path: string): Uint8Array | number {
  return readlinkAt(FDCWD, path);
}

/** chmod(2). */
export function chmod(path: string, mode: number): number {
  return chmodAt(FDCWD, path, mode);
}

/** lchown(2). */
export function lchown(path: string, uid: number, gid: number): number {
  return chownAt(FDCWD, path, uid, gid);
}

/** Times of a file; see {@link utimensAt}. */
export function utimens(path: string, ...times: [number, number, number, number]): number {
  return utimensAt(FDCWD, path, ...times);
}
