/**
 * Backing files: files that the kernel reads and writes itself, without asking this program (FUSE
 * passthrough).
 *
 * @module
 */

import { closeBacking, openBacking } from "#ffi/libfuse3/device.ts";

/**
 * Registers backing files of one mount. All opens of one node that overlap in time must carry the
 * same id, else the kernel answers EIO; the file system keeps the id with its node and gives it up
 * when the node is closed.
 */
export class DeviceBackingRegistry {
  readonly #deviceFd: number;

  /** For the mount that this descriptor of the device serves. */
  constructor(deviceFd: number) {
    this.#deviceFd = deviceFd;
  }

  /**
   * Lets the kernel read and write the file of `fd` itself, with the mode `fd` was opened with.
   *
   * @returns an id greater than 0, or a negative errno; `fd` may be closed afterwards
   */
  register(fd: number): number {
    return openBacking(this.#deviceFd, fd);
  }

  /** Gives up an id. */
  unregister(id: number): void {
    closeBacking(this.#deviceFd, id);
  }
}
