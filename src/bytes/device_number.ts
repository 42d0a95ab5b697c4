/**
 * Device numbers: both halves, and the `dev_t` they make together.
 *
 * @module
 */

/** Major and minor number of a device. */
export interface DeviceNumber {
  /** Number of the driver. */
  readonly major: bigint;
  /** Number of the device at its driver. */
  readonly minor: bigint;
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
