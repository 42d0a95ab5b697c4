/**
 * The kernel's control files of FUSE connections ("fusectl"). They are mounted nowhere in many
 * containers, so root gets a mount of his own that has no place.
 *
 * @module
 */

import { encodeCString, SCRATCH_A } from "../libc/c_string.ts";
import { check, libcWith } from "../libc/library.ts";
import { close, nativeBufferOf, open, openAt, OpenFlag, write } from "../libc/files.ts";

const SYMBOLS = {
  // long syscall(SYS_fsopen, const char *name, unsigned flags): the other two take numbers in the
  // places of pointers
  syscall: { parameters: ["i64", "buffer", "u32"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;
const NUMBER_SYMBOLS = {
  // long syscall(SYS_fsconfig, int fd, unsigned command, const char *key, const void *value, int
  // aux) long syscall(SYS_fsmount, int fd, unsigned flags, unsigned attributes)
  syscall: { parameters: ["i64", "i32", "u32", "usize", "usize", "i32"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const libcOfNames = libcWith(SYMBOLS);
const libcOfNumbers = libcWith(NUMBER_SYMBOLS);

const SYS_FSOPEN = 430n;
const SYS_FSCONFIG = 431n;
const SYS_FSMOUNT = 432n;
const FSOPEN_CLOEXEC = 1;
const FSCONFIG_CMD_CREATE = 6;
const FSMOUNT_CLOEXEC = 1;

const USUAL_PLACE = "/sys/fs/fuse/connections";

/**
 * Ends a connection: requests in flight and open files fail from now on.
 *
 * @param connection its number: the minor one of the mount's device
 * @returns whether that was possible; it needs root, or the user who mounted where the files are
 *   mounted
 */
export function abortConnection(connection: string): boolean {
  const name = `${connection}/abort`;
  let file = open(`${USUAL_PLACE}/${name}`, OpenFlag.WRONLY);
  if (file < 0) {
    const mount = mountControlFiles();
    if (mount < 0) return false;
    file = openAt(mount, name, OpenFlag.WRONLY);
    close(mount);
  }
  if (file < 0) return false;
  const written = write(file, nativeBufferOf(new TextEncoder().encode("1")).address, 1n);
  close(file);
  return written === 1;
}

/** @returns a descriptor of the directory, or a negative errno */
function mountControlFiles(): number {
  const name = encodeCString("fusectl", SCRATCH_A)!;
  const context = check(Number(libcOfNames().syscall(SYS_FSOPEN, name, FSOPEN_CLOEXEC)));
  if (context < 0) return context;
  const { syscall } = libcOfNumbers();
  const made = check(Number(syscall(SYS_FSCONFIG, context, FSCONFIG_CMD_CREATE, 0n, 0n, 0)));
  const mount = made < 0
    ? made
    : check(Number(syscall(SYS_FSMOUNT, context, FSMOUNT_CLOEXEC, 0n, 0n, 0)));
  close(context);
  return mount;
}
