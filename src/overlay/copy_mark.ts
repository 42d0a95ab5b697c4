/**
 * The mark of a whole copy whose bytes may not be on the disk yet, and what becomes of marked
 * copies.
 *
 * A whole copy of a file of the backup gets its name in the diff before the disk has its bytes: to
 * wait for the disk would delay an open(2) by seconds. After a kill nothing is lost, since the
 * host's kernel has the bytes. After a power cut the name may lead to half of them. So the copy
 * carries the boot id of its making in an extended attribute until it was synced, and a copy that
 * still carries the id of another boot is removed before the next mount: then the backup shows
 * again, which is what the file was when it was synced last, that is never.
 *
 * A file `.pbkfs-copies` in a diff directory says that it may have such copies. It is
 * durable before the first copy has its name, and goes at the clean unmount.
 *
 * @module
 */

import { removeFile } from "#src/io/files/whole_file.ts";
import { EntryType } from "#src/bytes/file_type.ts";
import * as host from "#ffi/libc/calls.ts";
import { readSmallTextFile, replaceTextFile } from "./durable_file.ts";
import { readHostDirectory } from "./host_directory.ts";

const { OpenFlag } = host;

/** Name of the extended attribute; only root may use that namespace, as passthrough. */
export const COPY_MARK_XATTR = "trusted.pbkfs.copy";

/** In the diff directory: a mount has made whole copies, and has not ended cleanly yet. */
export const COPIES_FILE_NAME = ".pbkfs-copies";

/**
 * Marks an open file as a copy of this boot. @returns 0 or a negative errno, where the file system
 * has no such attributes
 */
export function markCopy(fd: number, bootId: Uint8Array): number {
  return host.setXattr(fd, COPY_MARK_XATTR, bootId, 0);
}

/** Whether an open file is a copy that was not synced yet. */
export function isMarkedCopy(fd: number): boolean {
  return typeof host.getXattr(fd, COPY_MARK_XATTR) !== "number";
}

/**
 * Makes a copy durable, then takes the mark off, durably.
 *
 * @returns 0 or a negative errno
 */
export function settleCopy(fd: number): number {
  const synced = host.fsync(fd);
  if (synced < 0) return synced;
  const removed = host.removeXattr(fd, COPY_MARK_XATTR);
  // Another thread may have been faster.
  if (removed < 0 && removed !== -host.Errno.ENODATA) return removed;
  return host.fsync(fd);
}

/** Notes durably that the diff directory will have marked copies. @throws {OsError} */
export function announceCopies(diffPath: string, bootId: Uint8Array): void {
  const text = `${bootId.toHex()}\n`;
  replaceTextFile(diffPath, COPIES_FILE_NAME, text, { mode: 0o600, durable: true });
}

/** Whether the diff directory may have marked copies. */
export function areCopiesAnnounced(diffPath: string): boolean {
  const stat = new host.HostStat();
  return host.lstat(`${diffPath}/${COPIES_FILE_NAME}`, stat) === 0;
}

/** Whether the diff directory may have copies of which a power cut or crash has left half. */
export function mayHaveLostCopies(diffPath: string, bootId: Uint8Array): boolean {
  const announced = readSmallTextFile(`${diffPath}/${COPIES_FILE_NAME}`);
  return announced !== undefined && announced !== `${bootId.toHex()}\n`;
}

/** All marked copies are settled. @throws {OsError} */
export function withdrawCopies(diffPath: string): void {
  removeFile(`${diffPath}/${COPIES_FILE_NAME}`);
}

/**
 * Removes the copies that a power cut or crash of the host may have left incomplete.
 *
 * @param dataFd the diff's `data` directory, with nothing mounted
 * @returns how many there were
 * @throws {OsError}
 */
export function discardLostCopies(diffPath: string, dataFd: number, bootId: Uint8Array): number {
  if (!mayHaveLostCopies(diffPath, bootId)) return 0;
  const count = discardBelow(dataFd, bootId);
  host.unwrap(host.syncfs(dataFd), "sync", diffPath);
  withdrawCopies(diffPath);
  return count;
}

function discardBelow(fd: number, bootId: Uint8Array): number {
  let count = 0;
  for (const { name, type } of readHostDirectory(fd)) {
    const isDirectory = type === EntryType.DIRECTORY;
    if (!isDirectory && type !== EntryType.FILE && type !== EntryType.UNKNOWN) continue;
    const flags = OpenFlag.RDONLY | OpenFlag.NOFOLLOW | (isDirectory ? OpenFlag.DIRECTORY : 0);
    const child = host.openAt(fd, name, flags);
    if (child < 0) continue;
    try {
      if (isDirectory) count += discardBelow(child, bootId);
      else if (isOfOtherBoot(child, bootId)) {
        host.unwrap(host.unlinkAt(fd, name), "remove", name);
        count += 1;
      }
    } finally {
      host.close(child);
    }
  }
  return count;
}

function isOfOtherBoot(fd: number, bootId: Uint8Array): boolean {
  const mark = host.getXattr(fd, COPY_MARK_XATTR);
  return typeof mark !== "number" && mark.toHex() !== bootId.toHex();
}
