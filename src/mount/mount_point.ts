/**
 * Directories that are mounted on: checks before, unmounting after.
 *
 * @module
 */

import {
  close,
  flock,
  getdents,
  getEffectiveUid,
  HostStat,
  Lock,
  MNT_DETACH,
  open,
  OpenFlag,
  readlink,
  stat,
  umount,
} from "#ffi/libc/calls.ts";
import { probeOpen } from "#ffi/libc/probe.ts";
import { describeErrno, Errno, OsError } from "#ffi/os_error.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";
import { StateError, UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import { FileType } from "#src/tree/node.ts";
import { findMount } from "./mount_table.ts";

/** Room for the first entries of a directory, `.` and `..` among them, and what these two take. */
const LISTING_SIZE = 1024;
const DOTS_SIZE = 2 * 24;

/** A mount that does not answer in this time is taken for one that hangs. */
const ANSWER_TIMEOUT_MS = 2000;

/** umount2(2): end a FUSE connection at once; requests in flight fail. */
const MNT_FORCE = 1;

/**
 * What a mount says. `dead`: the program that served it is gone, and only unmounting helps;
 * `hidden`: this user may not enter; `silent`: nothing, in the time that it was given.
 */
export type MountAnswer = "alive" | "dead" | "hidden" | "silent";

/** What to do with a mount that is in use. */
export interface UnmountOptions {
  /** Take it out of the name space even when it is in use. */
  readonly lazy?: boolean;
  /**
   * End the connection first: requests in flight fail, open files do not work any more. Needs root.
   */
  readonly force?: boolean;
}

/**
 * The absolute path without links of a mount point. Nothing in the mount is looked at, so that one
 * which is dead or hangs has a path, too.
 *
 * @throws {UsageError} when the directory above does not exist
 */
export function resolveMountPoint(path: string): string {
  const plain = absolutePath(path);
  if (!path.split("/").includes("..") && isMounted(plain)) return plain;
  const trimmed = path.replace(/\/+$/, "");
  const slash = trimmed.lastIndexOf("/");
  const parent = slash < 0 ? "." : slash === 0 ? "/" : trimmed.slice(0, slash);
  const name = trimmed.slice(slash + 1);
  if (name === "" || name === "." || name === "..") return realPath(path);
  const directory = realPath(parent);
  const joined = directory === "/" ? `/${name}` : `${directory}/${name}`;
  // A mount point given through a link is mounted where the link leads.
  const resolved = resolvePath(joined);
  return typeof resolved === "number" ? joined : resolved;
}

function realPath(path: string): string {
  const resolved = resolvePath(path);
  if (typeof resolved === "string") return resolved;
  throw new UsageError(`Cannot resolve mount point "${path}": ${describeErrno(-resolved)}`);
}

/**
 * The path without links, by the kernel: the runtime gives no path below `/dev`. @returns or -errno
 */
function resolvePath(path: string): string | number {
  const fd = open(path, OpenFlag.PATH);
  if (fd < 0) return fd;
  const target = readlink(`/proc/self/fd/${fd}`);
  close(fd);
  return typeof target === "number" ? target : decodeFileName(target);
}

/**
 * Asks a mount whether it answers. Opens the directory: attributes could come from the
 * kernel's cache, even if no worker answers any more.
 */
export async function probeMountPoint(path: string): Promise<MountAnswer> {
  const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.NONBLOCK;
  const result = await probeOpen(path, flags, ANSWER_TIMEOUT_MS);
  if (result === -Errno.ENOTCONN || result === -Errno.ECONNABORTED) return "dead";
  if (result === -Errno.EACCES || result === -Errno.EPERM) return "hidden";
  return result === -Errno.ETIMEDOUT ? "silent" : "alive";
}

/** Whether something is mounted at exactly this absolute path. Does not touch the mount. */
export function isMounted(path: string): boolean {
  return findMount(path) !== undefined;
}

/**
 * Checks that `path` can be mounted on; a dead mount left by a killed program is removed first.
 *
 * @returns whether such a mount was removed
 * @throws {UsageError} when it is not an empty directory
 * @throws {StateError} `busy` when something is mounted there
 */
export async function prepareMountPoint(path: string): Promise<boolean> {
  const isRepaired = isMounted(path) && await probeMountPoint(path) === "dead";
  if (isRepaired) unmountPath(path, { lazy: true });
  if (isMounted(path)) throw alreadyMounted(path);
  const found = new HostStat();
  const result = stat(path, found);
  if (result === -Errno.ENOENT) throw wrongPlace(path, "does not exist");
  if (result < 0) throw new OsError(-result, "stat", path);
  if ((found.mode & FileType.MASK) !== FileType.DIRECTORY) {
    throw wrongPlace(path, "is not a directory");
  }
  if (!isEmptyDirectory(path)) throw wrongPlace(path, "is not empty");
  return isRepaired;
}

function isEmptyDirectory(path: string): boolean {
  const fd = open(path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (fd < 0) throw new OsError(-fd, "list", path);
  const listing = new Uint8Array(LISTING_SIZE);
  let total = 0;
  let size: number;
  do total += size = getdents(fd, listing); while (size > 0 && total <= DOTS_SIZE);
  close(fd);
  if (size < 0) throw new OsError(-size, "list", path);
  return total <= DOTS_SIZE;
}

/**
 * Keeps other processes of this program from mounting at `path` until the descriptor is closed:
 * else two that start at the same moment both find it free, and one mount hides the other.
 *
 * @returns a descriptor of the directory that is mounted on
 * @throws {StateError} `busy` when another process is mounting there, or has mounted meanwhile
 * @throws {OsError} when the directory cannot be opened
 */
export function reserveMountPoint(path: string): number {
  const fd = open(path, OpenFlag.RDONLY | OpenFlag.DIRECTORY);
  if (fd < 0) throw new OsError(-fd, "open mount point", path);
  const isLocked = flock(fd, Lock.EXCLUSIVE | Lock.NONBLOCKING) === 0;
  if (isLocked && !isMounted(path)) return fd;
  close(fd);
  throw isLocked
    ? alreadyMounted(path)
    : new StateError("busy", `Mount point "${path}" is being mounted by another process`);
}

function wrongPlace(path: string, what: string): UsageError {
  return new UsageError(`Mount point "${path}" ${what}`, {
    hint: "Give a directory that is there and empty",
  });
}

function alreadyMounted(path: string): StateError {
  return new StateError("busy", `Mount point "${path}" is already mounted`, {
    hint: "Give another directory, or unmount that one first",
  });
}

/**
 * Unmounts `path`; as an ordinary user through fusermount3.
 *
 * @throws {StateError} `busy` when it is in use, `not-mounted` when nothing is mounted there
 * @throws {OsError} for other failures
 */
export function unmountPath(path: string, options: UnmountOptions = {}): void {
  if (getEffectiveUid() !== 0) {
    unmountByHelper(path, options);
    return;
  }
  const flags = (options.lazy ? MNT_DETACH : 0) | (options.force ? MNT_FORCE : 0);
  const result = umount(path, flags);
  if (result === -Errno.EBUSY) throw busy(path);
  if (result === -Errno.EINVAL) throw notMounted(path);
  if (result < 0) throw new OsError(-result, "unmount", path);
}

function unmountByHelper(path: string, options: UnmountOptions): void {
  const args = options.lazy ? ["-u", "-z", path] : ["-u", path];
  const output = new Deno.Command("fusermount3", { args, stdin: "null", stdout: "null" })
    .outputSync();
  if (output.success) return;
  const message = new TextDecoder().decode(output.stderr).trim();
  if (/busy/i.test(message)) throw busy(path);
  if (!isMounted(path)) throw notMounted(path);
  throw new OsError(Errno.EPERM, "unmount", path, { cause: new Error(message) });
}

function busy(path: string): StateError {
  return new StateError("busy", `Cannot unmount "${path}": files on it are in use`, {
    hint: "Stop the programs that use it (see fuser -vm), or unmount it all the same",
    option: "force",
  });
}

function notMounted(path: string): StateError {
  return new StateError("not-mounted", `Nothing is mounted at "${path}"`);
}
