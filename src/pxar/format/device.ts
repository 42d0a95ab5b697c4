/**
 * Device numbers: content of DEVICE, and the kernel's `dev_t`.
 *
 * @module
 */

import { FormatError } from "#src/errors.ts";

/** Size of a DEVICE's content. */
export const DEVICE_SIZE = 16;

/** Both halves have 32 bits in a `dev_t`. */
export const DEVICE_HALF_MAX = 0xffff_ffffn;

/** Major and minor number of a device. */
export interface DeviceNumber {
  /** Number of the driver. */
  readonly major: bigint;
  /** Number of the device at its driver. */
  readonly minor: bigint;
}

/** Writes the content of a DEVICE. */
export function encodeDevice(view: DataView, offset: number, device: DeviceNumber): void {
  view.setBigUint64(offset, device.major, true);
  view.setBigUint64(offset + 8, device.minor, true);
}

/**
 * Reads the content of a DEVICE. @throws {FormatError} `bad-device` for numbers that no `dev_t`
 * holds
 */
export function decodeDevice(view: DataView, offset: number): DeviceNumber {
  const major = view.getBigUint64(offset, true);
  const minor = view.getBigUint64(offset + 8, true);
  if (major > DEVICE_HALF_MAX || minor > DEVICE_HALF_MAX) {
    throw new FormatError(`Cannot read device number ${major}:${minor}: no such device`, {
      code: "bad-device",
    });
  }
  return { major, minor };
}

/** Parts of a `dev_t` as the C library has it. */
export function splitDeviceNumber(dev: bigint): DeviceNumber {
  return {
    major: (dev >> 8n & 0xfffn) | (dev >> 32n & 0xffff_f000n),
    minor: (dev & 0xffn) | (dev >> 12n & 0xffff_ff00n),
  };
}

/** The `dev_t` of the C library, 64 bits. */
export function joinDeviceNumber({ major, minor }: DeviceNumber): bigint {
  return (major & 0xfffn) << 8n | (major & 0xffff_f000n) << 32n |
    (minor & 0xffn) | (minor & 0xffff_ff00n) << 12n;
}
