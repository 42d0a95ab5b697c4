/**
 * Loop devices: block devices whose content is a file.
 *
 * @module
 */

import {
  close,
  Errno,
  ioctl,
  open,
  OpenFlag,
  OsError,
  readSmallFile,
  unwrap,
} from "#ffi/libc/calls.ts";

/** ioctl(2) requests of /dev/loop-control and of loop devices. */
const LOOP_CTL_GET_FREE = 0x4c82n;
const LOOP_CONFIGURE = 0x4c0an;
const LOOP_CLR_FD = 0x4c01n;

const CONTROL = "/dev/loop-control";
const READ_ONLY = 1;

/**
 * Parts of `struct loop_config`: file descriptor, block size, `struct loop_info64`, reserved words.
 */
const CONFIG_SIZE = 304;
const FLAGS_OFFSET = 8 + 52;
const FILE_NAME_OFFSET = 8 + 56;
const FILE_NAME_SIZE_MAX = 63;

/** Others may be quicker to take the device that is free. */
const ATTEMPTS_MAX = 8;
/** More devices are made only on demand, and without gaps up to this number. */
const DEVICES_MAX = 256;

/** A loop device and its file. */
export interface LoopDevice {
  /** `/dev/loop0` */
  readonly path: string;
  /** Path of the file as the kernel tells it. */
  readonly file: string;
}

/**
 * Makes a read-only block device of a file. @returns its path
 *
 * @throws {OsError} EACCES, EPERM where only root may; ENOENT where the kernel has no loop devices;
 *   ENOTTY where it is too old
 */
export function attachLoopDevice(path: string): string {
  const file = unwrap(open(path, OpenFlag.RDONLY | OpenFlag.CLOEXEC), "open", path);
  try {
    for (let attempt = 0; attempt < ATTEMPTS_MAX; attempt++) {
      const device = freeDevice();
      const result = configure(device, file, path);
      if (result === 0) return device;
      if (result !== -Errno.EBUSY) unwrap(result, "attach", device);
    }
    throw new OsError(Errno.EBUSY, "attach", path);
  } finally {
    close(file);
  }
}

/**
 * Takes the file from a loop device; where that is in use it goes when it no longer is. @throws
 * {OsError}
 */
export function detachLoopDevice(device: string): void {
  const fd = unwrap(open(device, OpenFlag.RDONLY | OpenFlag.CLOEXEC), "open", device);
  try {
    unwrap(ioctl(fd, LOOP_CLR_FD, new Uint8Array(8)), "detach", device);
  } finally {
    close(fd);
  }
}

/** Loop devices that have a file. */
export function listLoopDevices(): LoopDevice[] {
  const devices: LoopDevice[] = [];
  for (let index = 0; index < DEVICES_MAX; index++) {
    const file = backingFile(`/dev/loop${index}`);
    if (file !== undefined) devices.push({ path: `/dev/loop${index}`, file });
  }
  return devices;
}

/** The file of a loop device; undefined when it has none. */
export function backingFile(device: string): string | undefined {
  const name = device.slice(device.lastIndexOf("/") + 1);
  const content = readSmallFile(`/sys/block/${name}/loop/backing_file`);
  if (typeof content === "number") return undefined;
  return new TextDecoder().decode(content).replace(/\n$/, "");
}

function freeDevice(): string {
  const control = unwrap(open(CONTROL, OpenFlag.RDWR | OpenFlag.CLOEXEC), "open", CONTROL);
  try {
    const index = ioctl(control, LOOP_CTL_GET_FREE, new Uint8Array(8));
    return `/dev/loop${unwrap(index, "get a free device of", CONTROL)}`;
  } finally {
    close(control);
  }
}

function configure(device: string, file: number, path: string): number {
  const fd = unwrap(open(device, OpenFlag.RDONLY | OpenFlag.CLOEXEC), "open", device);
  try {
    const config = new Uint8Array(CONFIG_SIZE);
    const view = new DataView(config.buffer);
    view.setUint32(0, file, true);
    view.setUint32(FLAGS_OFFSET, READ_ONLY, true);
    config.set(new TextEncoder().encode(path).subarray(0, FILE_NAME_SIZE_MAX), FILE_NAME_OFFSET);
    return ioctl(fd, LOOP_CONFIGURE, config);
  } finally {
    close(fd);
  }
}
