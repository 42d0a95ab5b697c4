/**
 * Further names of files that are restored. Needs FFI.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { descriptorPath, setFileFlags } from "#ffi/libc/extract.ts";
import { getFileFlags } from "#ffi/libc/metadata.ts";

const { Errno, OpenFlag } = host;

const OBJECT_FLAGS = OpenFlag.PATH | OpenFlag.NOFOLLOW;

/** Attributes of chattr(1) that refuse further names of a file: immutable, append only. */
const UNLINKABLE_ATTRIBUTES = 0x10 | 0x20;

/**
 * Opens one name after the other, for kernels without openat2(2). @returns a descriptor of O_PATH
 * or a negative errno
 */
export function openStepwise(root: number, path: string): number {
  let directory = root;
  const names = path.split("/");
  const last = names.pop()!;
  for (const name of names) {
    const next = host.openAt(directory, name, OBJECT_FLAGS | OpenFlag.DIRECTORY);
    if (directory !== root) host.close(directory);
    if (next < 0) return next;
    directory = next;
  }
  const fd = host.openAt(directory, last, OBJECT_FLAGS);
  if (directory !== root) host.close(directory);
  return fd;
}

/** Makes a further name of the file that `target`, a descriptor of O_PATH, stands for. */
export function linkDescriptor(target: number, directory: number, name: string): number {
  const path = descriptorPath(target);
  const link = () => host.linkAt(host.At.FDCWD, path, directory, name, true);
  const result = link();
  if (result !== -Errno.EPERM) return result;
  // The file may have been restored with attributes that allow no further name.
  const fd = host.open(path, OpenFlag.RDONLY | OpenFlag.NONBLOCK);
  if (fd < 0) return result;
  try {
    const attributes = getFileFlags(fd);
    if (attributes < 0 || (attributes & UNLINKABLE_ATTRIBUTES) === 0) return result;
    if (setFileFlags(fd, attributes & ~UNLINKABLE_ATTRIBUTES) < 0) return result;
    const second = link();
    const restored = setFileFlags(fd, attributes);
    return second < 0 ? second : restored;
  } finally {
    host.close(fd);
  }
}
