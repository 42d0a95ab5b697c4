/**
 * /dev/fuse: the kernel's side of a mount.
 *
 * @module
 */

import * as libc from "../libc/files.ts";
import { unwrap } from "../os_error.ts";
import { InvalidateInodeOut, Notification, OutHeader, RetrieveOut } from "./kernel.ts";

const DEVICE = "/dev/fuse";

/** FUSE_DEV_IOC_CLONE, argument u32 descriptor. */
const IOC_CLONE = 0x8004_e500n;
/** FUSE_DEV_IOC_BACKING_OPEN, argument struct fuse_backing_map {i32 fd, u32 flags, u64 padding}. */
const IOC_BACKING_OPEN = 0x4010_e501n;
/** FUSE_DEV_IOC_BACKING_CLOSE, argument u32 id. */
const IOC_BACKING_CLOSE = 0x4004_e502n;

/**
 * Makes one more descriptor of the mount that `fd` serves. A clone has a request list of its own;
 * where cloning is refused (the device cannot be opened by this user) a plain duplicate does the
 * same work.
 *
 * @throws {OsError} when neither works
 */
export function cloneDevice(fd: number): number {
  const clone = libc.open(DEVICE, libc.OpenFlag.RDWR);
  if (clone >= 0) {
    const argument = new Uint8Array(new Uint32Array([fd]).buffer);
    if (libc.ioctl(clone, IOC_CLONE, argument) >= 0) return clone;
    libc.close(clone);
  }
  return unwrap(libc.dup(fd), "duplicate descriptor of", DEVICE);
}

const backingMap = new Uint8Array(16);
const backingMapView = new DataView(backingMap.buffer);
const backingId = new Uint8Array(4);
const backingIdView = new DataView(backingId.buffer);

/**
 * Lets the kernel read and write `fd`'s file itself. The kernel keeps a reference of its own, `fd`
 * may be closed.
 *
 * @returns an id greater than 0, or a negative errno
 */
export function openBacking(deviceFd: number, fd: number): number {
  backingMapView.setInt32(0, fd, true);
  return libc.ioctl(deviceFd, IOC_BACKING_OPEN, backingMap);
}

const ROOT_NODE_ID = 1n;

/** Asks the kernel for 0 bytes of what it keeps of the root. */
const wakeUp = libc.nativeBufferOf(new Uint8Array(OutHeader.SIZE + RetrieveOut.SIZE));
const wakeUpView = new DataView(wakeUp.bytes.buffer);
wakeUpView.setUint32(OutHeader.LEN, wakeUp.bytes.length, true);
wakeUpView.setInt32(OutHeader.ERROR, Notification.RETRIEVE, true);
wakeUpView.setBigUint64(OutHeader.SIZE + RetrieveOut.NODEID, ROOT_NODE_ID, true);

/**
 * Wakes one thread that waits for requests of the mount: it gets a request NOTIFY_REPLY that wants
 * no answer. Does not wait, and does nothing where all threads are busy.
 */
export function wakeReader(deviceFd: number): void {
  libc.write(deviceFd, wakeUp.address, BigInt(wakeUp.bytes.length));
}

/** Gives up an id of {@link openBacking}; files that are open keep working. */
export function closeBacking(deviceFd: number, id: number): number {
  backingIdView.setUint32(0, id, true);
  return libc.ioctl(deviceFd, IOC_BACKING_CLOSE, backingId);
}

const invalidation = libc.nativeBufferOf(
  new Uint8Array(OutHeader.SIZE + InvalidateInodeOut.SIZE),
);
const invalidationView = new DataView(invalidation.bytes.buffer);
invalidationView.setUint32(OutHeader.LEN, invalidation.bytes.length, true);
invalidationView.setInt32(OutHeader.ERROR, Notification.INVALIDATE_INODE, true);
invalidationView.setBigInt64(OutHeader.SIZE + InvalidateInodeOut.OFFSET, -1n, true);
const INVALIDATION_SIZE = BigInt(invalidation.bytes.length);
const INVALIDATION_INO = OutHeader.SIZE + InvalidateInodeOut.INO;

/**
 * Makes the kernel ask for a node's attributes again. Only while a request on that very node is
 * being served: then the kernel has it, and need not wait for it.
 *
 * @returns a negative errno when it could not be told
 */
export function invalidateAttributes(deviceFd: number, nodeId: number): number {
  invalidationView.setUint32(INVALIDATION_INO, nodeId, true);
  invalidationView.setUint32(INVALIDATION_INO + 4, Math.floor(nodeId / 0x1_0000_0000), true);
  return libc.write(deviceFd, invalidation.address, INVALIDATION_SIZE);
}
