/**
 * libc for reading directories of a FUSE mount by node id, in the process that serves it.
 *
 * Conventions as in `calls.ts`: a value or a negative errno.
 *
 * @module
 */

import { encodeCString, SCRATCH_A } from "./c_string.ts";
import { check, libcWith } from "./library.ts";
import { At } from "./directories.ts";
import { OpenFlag } from "./files.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  // long syscall(SYS_open_tree, int dirfd, const char *path, unsigned flags)
  syscall: { parameters: ["i64", "i32", "buffer", "u32"], result: "i64" },
  open_by_handle_at: { parameters: ["i32", "buffer", "i32"], result: "i32" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

const SYS_OPEN_TREE = 428n;
const OPEN_TREE_CLONE = 1;

/**
 * A mount of its own, without a place, of the file system that is mounted at `path`: unlike an open
 * file, it does not keep the other one busy. The file system does not end before it is closed.
 *
 * @returns a descriptor of O_PATH; -EPERM for others than root
 */
export function cloneMount(path: string): number {
  const buffer = encodeCString(path, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  const flags = OPEN_TREE_CLONE | OpenFlag.CLOEXEC;
  return check(Number(libc().syscall(SYS_OPEN_TREE, At.FDCWD, buffer, flags)));
}

/**
 * Type of a FUSE inode's handle (FILEID_INO64_GEN), and its size: upper half, lower half,
 * generation.
 */
const HANDLE_TYPE = 0x81;
const HANDLE_SIZE = 12;
const TWO_POW_32 = 0x1_0000_0000;

/** struct file_handle: u32 size, int type, then the handle. */
const handle = new Uint8Array(8 + HANDLE_SIZE);
const handleView = new DataView(handle.buffer);

/**
 * Opens the directory with that FUSE node id, of generation 0, as far as the kernel knows it.
 *
 * @param mountFd an open directory of the mount
 * @returns a descriptor; -EPERM for others than root, -ESTALE when the kernel has forgotten the
 *   node
 */
export function openDirectoryByNodeId(mountFd: number, nodeId: number): number {
  handleView.setUint32(0, HANDLE_SIZE, true);
  handleView.setInt32(4, HANDLE_TYPE, true);
  handleView.setUint32(8, nodeId / TWO_POW_32, true);
  handleView.setUint32(12, nodeId % TWO_POW_32, true);
  const flags = OpenFlag.RDONLY | OpenFlag.DIRECTORY | OpenFlag.CLOEXEC;
  return check(libc().open_by_handle_at(mountFd, handle, flags));
}
