/**
 * Images of snapshots as block devices: a mount with the image as its file, and a loop device of
 * that file.
 *
 * @module
 */

import { Errno, Failure, OsError, StateError, UsageError } from "#src/errors.ts";
import { absolutePath } from "#src/io/absolute_path.ts";
import * as host from "#ffi/libc/calls.ts";
import {
  attachLoopDevice,
  backingFile,
  detachLoopDevice,
  listLoopDevices,
} from "#src/io/loop_device.ts";
import { archiveNameOf, defaultFileName } from "#src/pbs/format/archive_name.ts";
import { findMount, type MountTableEntry, readMountTable } from "#src/mount/mount_table.ts";
import { formatCall } from "../call_text.ts";
import { requireRunning } from "../mounting/control/end_worker.ts";
import { findWorkerOf, MOUNT_TYPE } from "../mounting/control/find_worker.ts";
import { unmount } from "../mounting/unmount.ts";

/** Where mounts are made that nobody has named a place for. */
const ROOT_PLACE = "/run/pbkfs";
const SOURCE_PREFIX = "pbkfs:";
const DIRECTORY_PREFIX = "map-";
const DIRECTORY_MODE = 0o700;
const MADE_DIRECTORY = new RegExp(
  `/${DIRECTORY_PREFIX}[\\da-f]{8}(?:-[\\da-f]{4}){3}-[\\da-f]{12}$`,
  "u",
);

/**
 * Name of the file that an image is shown as. @throws {UsageError} when a name is not that of an
 * image
 */
export function requireImageName(archive: string): string {
  const file = defaultFileName(archive);
  if (file.endsWith(".fidx")) return archiveNameOf(file);
  throw new UsageError(`Cannot map "${archive}": it is not an image`, {
    option: "archive-name",
    hint: "Use `mount()` for archives",
  });
}

/** A mapped image. */
export interface MappedImage {
  /** `host/…/disk.img` */
  readonly image: string;
  readonly mountPath: string;
  /** The image as a file. */
  readonly file: string;
  /** The image as block device; undefined where there is none. */
  readonly device: string | undefined;
}

/** An attempt to make a block device of an image. */
export interface LoopAttempt {
  readonly device?: string;
  /** Why there is none. */
  readonly reason?: string;
}

/**
 * Makes a directory for a mount. `runtimePlace` is where an ordinary user's files of this session
 * are.
 *
 * @throws {OsError}
 */
export function createMapDirectory(runtimePlace: string | undefined): string {
  const isOwnPlace = host.getEffectiveUid() !== 0 && (runtimePlace ?? "") !== "";
  const place = isOwnPlace ? `${runtimePlace}/pbkfs` : ROOT_PLACE;
  createDirectory(place, [Errno.EEXIST]);
  const path = `${place}/${DIRECTORY_PREFIX}${crypto.randomUUID()}`;
  createDirectory(path);
  return path;
}

function createDirectory(path: string, harmless: readonly number[] = []): void {
  const result = host.mkdir(path, DIRECTORY_MODE);
  if (result >= 0 || harmless.includes(-result)) return;
  throw new OsError(-result, "make directory", path, {
    hint: "Name a directory for the image, or set XDG_RUNTIME_DIR",
  });
}

/** Makes a block device of a file, where this can be done. */
export function tryAttach(file: string): LoopAttempt {
  try {
    return { device: attachLoopDevice(file) };
  } catch (error) {
    if (!(error instanceof Failure)) throw error;
    return { reason: error.message };
  }
}

/** All images that are mapped on this host. */
export function mappedImages(): MappedImage[] {
  const devices = listLoopDevices();
  return readMountTable().filter(isImageMount).map(({ source, mountPoint }) => {
    const image = source.slice(SOURCE_PREFIX.length);
    const file = `${mountPoint}/${image.slice(image.lastIndexOf("/") + 1)}`;
    const device = devices.find((each) => each.file === file)?.path;
    return { image, mountPath: mountPoint, file, device };
  });
}

/**
 * Takes a mapped image away: by its device, its mount point or its name.
 *
 * @param force kill the process that serves it first: who still uses it gets errors
 * @throws {StateError} `not-mounted`, `busy`; `stopped` when the process that serves it is
 */
export async function unmapImage(name: string, force: boolean): Promise<void> {
  const path = absolutePath(name);
  const found = mappedImages().filter((each) =>
    name === each.device || path === each.mountPath || name === each.image ||
    `/dev/${name}` === each.device || each.image.endsWith(`/${name}`)
  );
  const [mapped] = found;
  if (mapped === undefined || found.length > 1) {
    const reason = mapped === undefined
      ? "no such image is mapped"
      : "several images are so called";
    throw new StateError("not-mounted", `Cannot unmap "${name}": ${reason}`, {
      hint: "`mappedImages()` lists what is mapped",
    });
  }
  const { device, mountPath } = mapped;
  if (force) await unmount({ mountPath, diffPath: undefined, force });
  // The kernel waits for what it reads from a device that is to go.
  else requireRunningMount(mountPath, formatCall("unmapImage", { name, force: true }));
  if (device !== undefined) {
    detachLoopDevice(device);
    // Whoever still uses the device keeps its file, and with it the mount.
    if (backingFile(device) !== undefined) {
      throw new StateError("busy", `target is busy: ${device}`, {
        hint: "Stop what uses it; then it goes by itself, and `unmapImage()` ends the mount",
      });
    }
  }
  if (!force) await unmount({ mountPath, diffPath: undefined, force });
  removeMapDirectory(mountPath);
}

function requireRunningMount(mountPath: string, endCall: string): void {
  const entry = findMount(mountPath);
  using worker = entry === undefined ? undefined : findWorkerOf(entry);
  if (worker !== undefined) requireRunning(worker, mountPath, endCall);
}

/**
 * Removes a directory if {@link createMapDirectory} made it: those that a user has named stay,
 * whatever they are called.
 */
export function removeMapDirectory(path: string): void {
  if (MADE_DIRECTORY.test(path)) Deno.removeSync(path);
}

function isImageMount({ type, source }: MountTableEntry): boolean {
  return type === MOUNT_TYPE && source.startsWith(SOURCE_PREFIX) &&
    /\.img(?:\.fidx)?$/u.test(source);
}
