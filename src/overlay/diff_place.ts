/**
 * Where a diff directory lies: names in it, and whether a directory may become one.
 *
 * @module
 */

import { dirname, join, relative, resolve } from "node:path";
import * as host from "#ffi/libc/calls.ts";
import { OsError, StateError, UsageError } from "#src/errors.ts";
import { isWithin } from "#src/io/absolute_path.ts";
import { FileType } from "#src/tree/node.ts";
import { type Binding, parseBinding } from "./binding.ts";
import { BINDING_FILE_NAME } from "./binding_name.ts";
import { readSmallTextFile } from "./durable_file.ts";
import { readHostDirectory } from "./host_directory.ts";

/**
 * Name of the directory, in the upper tree and under the mount root, in which a worker leaves its
 * files.
 */
export const CONTROL_DIRECTORY_NAME = ".pbkfs";

/** Directory of the upper tree, in the diff directory. */
export const DATA_DIRECTORY_NAME = "data";
/** Directory of files in the making, in the diff directory. */
export const TEMPORARY_DIRECTORY_NAME = "tmp";

const PROBE_FILE_NAME = ".pbkfs-write-test";
const PROBE_ATTEMPTS_MAX = 100;
const PRIVATE_MODE = 0o700;

/** A directory or file that is to be apart from diff directory and mount point. */
export interface DiffPlace {
  /** Such as "backup store". */
  readonly what: string;
  readonly path: string;
}

/** Absolute path without links, of something that need not exist or answer. */
export function realPathOfMissing(path: string): string {
  const absolute = resolve(path);
  try {
    return Deno.realPathSync(absolute);
  } catch {
    const parent = dirname(absolute);
    return parent === absolute
      ? absolute
      : join(realPathOfMissing(parent), relative(parent, absolute));
  }
}

/** Makes a private directory, and those above it. @returns whether it was made */
export function createDirectory(path: string): boolean {
  const stat = new host.HostStat();
  if (host.lstat(path, stat) === 0) {
    if ((stat.mode & FileType.MASK) === FileType.DIRECTORY) return false;
    throw new OsError(host.Errno.ENOTDIR, "use as diff directory", path, {
      hint: "Give a directory, or a path where one can be made",
      option: "diffPath",
    });
  }
  const parent = dirname(path);
  if (parent !== path && host.stat(parent, stat) < 0) createDirectory(parent);
  const result = host.mkdir(path, PRIVATE_MODE);
  if (result === -host.Errno.EEXIST) return false;
  host.unwrap(result, "make directory", path);
  return true;
}

/** Refuses places inside one another. @throws {UsageError} `overlap` */
export function checkOverlap(places: readonly DiffPlace[]): void {
  for (const [index, one] of places.entries()) {
    for (const other of places.slice(index + 1)) {
      if (!isWithin(one.path, other.path) && !isWithin(other.path, one.path)) continue;
      throw new UsageError(
        `Cannot mount: the ${one.what} "${one.path}" and the ${other.what} "${other.path}" overlap`,
        { code: "overlap", hint: "Give places of which none is inside another" },
      );
    }
  }
}

/**
 * Looks for signs of another tool, reading only.
 *
 * @returns the binding when there is one of ours
 */
export function refuseForeign(path: string): Binding | undefined {
  const bindingPath = `${path}/${BINDING_FILE_NAME}`;
  if (isOtherThanDirectory(path)) return undefined;
  const text = readSmallTextFile(bindingPath);
  if (text !== undefined) return parseBinding(text, bindingPath);
  const stranger = findStranger(path);
  if (stranger === undefined) return undefined;
  throw new StateError(
    "foreign-diff",
    `Cannot use diff directory "${path}": it has no binding, but "${stranger}" is there`,
    { hint: "Give an empty directory; this one is left untouched", option: "diffPath" },
  );
}

function isOtherThanDirectory(path: string): boolean {
  const stat = new host.HostStat();
  return host.stat(path, stat) === 0 && (stat.mode & FileType.MASK) !== FileType.DIRECTORY;
}

/**
 * A foreign entry in a directory that was never bound: a mount would empty `tmp/`, and a cleanup
 * would remove everything.
 */
function findStranger(path: string): string | undefined {
  for (const name of namesIn(path)) {
    if (name.startsWith(CONTROL_DIRECTORY_NAME) || name === "lost+found") continue;
    if (name !== DATA_DIRECTORY_NAME && name !== TEMPORARY_DIRECTORY_NAME) return name;
    const [inner] = namesIn(`${path}/${name}`);
    if (inner !== undefined) return `${name}/${inner}`;
  }
  return undefined;
}

function namesIn(path: string): string[] {
  const flags = host.OpenFlag.RDONLY | host.OpenFlag.DIRECTORY;
  const fd = host.open(path, flags);
  // `createDirectory` refuses anything but a directory.
  if (fd === -host.Errno.ENOENT || fd === -host.Errno.ENOTDIR) return [];
  host.unwrap(fd, "open directory", path);
  try {
    return readHostDirectory(fd).map(({ name }) => name);
  } finally {
    host.close(fd);
  }
}

/** Makes a file in the directory and removes it. @throws {OsError} when that does not work */
export function probeWritable(path: string): void {
  const probe = `${path}/${PROBE_FILE_NAME}`;
  const flags = host.OpenFlag.WRONLY | host.OpenFlag.CREAT | host.OpenFlag.EXCL;
  let fd: number;
  let attempts = 0;
  do {
    host.unlink(probe);
    fd = host.open(probe, flags, 0o600);
    // Another mount that starts at the same time has made it in between.
  } while (fd === -host.Errno.EEXIST && ++attempts < PROBE_ATTEMPTS_MAX);
  if (fd < 0) {
    throw new OsError(-fd, "write to diff directory", path, {
      hint: "Give a diff directory that you may write to",
      option: "diffPath",
    });
  }
  host.close(fd);
  host.unlink(probe);
}
