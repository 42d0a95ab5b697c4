/**
 * Device numbers: content of DEVICE.
 *
 * @module
 */

import type { DeviceNumber } from "#src/bytes/device_number.ts";
import { FormatError } from "#src/errors.ts";

/** Size of a DEVICE's content. */
export const DEVICE_SIZE = 16;

/** Both halves have 32 bits in a `dev_t`. */
export const DEVICE_HALF_MAX = 0xffff_ffffn;

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
