/**
 * libc for the process itself, other processes and mounts.
 *
 * Conventions as in `calls.ts`: a value or a negative errno.
 *
 * @module
 */

import { encodeCString, SCRATCH_A } from "./c_string.ts";
import { check, failed, libcWith } from "./library.ts";
import { readSmallFile } from "./files.ts";
import { Errno } from "../os_error.ts";

const SYMBOLS = {
  kill: { parameters: ["i32", "i32"], result: "i32" },
  getpid: { parameters: [], result: "i32" },
  geteuid: { parameters: [], result: "u32" },
  getegid: { parameters: [], result: "u32" },
  umount2: { parameters: ["buffer", "i32"], result: "i32" },
  chdir: { parameters: ["buffer"], result: "i32" },
  setsid: { parameters: [], result: "i32" },
  umask: { parameters: ["u32"], result: "u32" },
  unshare: { parameters: ["i32"], result: "i32" },
  setpriority: { parameters: ["i32", "u32", "i32"], result: "i32" },
  malloc_trim: { parameters: ["usize"], result: "i32" },
  prlimit64: { parameters: ["i32", "i32", "buffer", "buffer"], result: "i32" },
  // long syscall(SYS_pidfd_send_signal, int pidfd, int sig, siginfo_t *info, unsigned flags)
  syscall: { parameters: ["i64", "i32", "i32", "usize", "u32"], result: "i64" },
} as const satisfies Deno.ForeignLibraryInterface;

const libc = libcWith(SYMBOLS);

/** kill(2). Signal 0 only asks whether the process is there. */
export function kill(pid: number, signal: number): number {
  return check(libc().kill(pid, signal));
}

const SYS_PIDFD_SEND_SIGNAL = 424n;

/**
 * pidfd_send_signal(2): signals the process that `processFd` means, whatever its number is by now.
 * Signal 0 only asks.
 *
 * @param processFd a pidfd, or an open directory `/proc/PID`
 * @returns 0; -ESRCH when it has ended, -EINVAL when it is in no PID namespace below the caller's
 */
export function signalProcess(processFd: number, signal: number): number {
  return check(Number(libc().syscall(SYS_PIDFD_SEND_SIGNAL, processFd, signal, 0n, 0)));
}

/** getpid(2). */
export function getPid(): number {
  return libc().getpid();
}

/** geteuid(2). */
export function getEffectiveUid(): number {
  return libc().geteuid();
}

/** getegid(2). */
export function getEffectiveGid(): number {
  return libc().getegid();
}

/** Flag of {@link umount} that detaches at once and cleans up when the mount is no longer busy. */
export const MNT_DETACH = 2;

/** umount2(2). */
export function umount(path: string, flags = 0): number {
  const buffer = encodeCString(path, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().umount2(buffer, flags));
}

/** chdir(2). */
export function changeDirectory(path: string): number {
  const buffer = encodeCString(path, SCRATCH_A);
  if (buffer === undefined) return -Errno.ENAMETOOLONG;
  return check(libc().chdir(buffer));
}

/** setsid(2). @returns the session id */
export function newSession(): number {
  return check(libc().setsid());
}

const CLONE_FS = 0x200;

/**
 * unshare(2): umask and working directory of this thread, and of those that it starts, are no
 * longer those of the others.
 */
export function unshareUmaskAndDirectory(): number {
  return check(libc().unshare(CLONE_FS));
}

/** umask(2). @returns the former mask */
export function setUmask(mask: number): number {
  return libc().umask(mask);
}

const PRIO_PROCESS = 0;

/** setpriority(2) of the calling thread alone: -20 is served first, 19 last, 0 is usual. */
export function setThreadNiceness(niceness: number): number {
  return check(libc().setpriority(PRIO_PROCESS, 0, niceness));
}

/** Gives memory that is free inside of the C library's heap back to the system. */
export function trimHeap(): void {
  libc().malloc_trim(0n);
}

const RLIMIT_NOFILE = 7;
/** As many files as any process of the host may have open. */
const OPEN_FILES_MAX = "/proc/sys/fs/nr_open";

/** struct rlimit: the limit in force, and the one up to which anybody may raise it. */
const limits = new BigUint64Array(2);
const limitBytes = new Uint8Array(limits.buffer);

/**
 * Raises the limit of open files of this process as far as it can be: to the hard limit, which root
 * raises before.
 *
 * @returns the limit in force
 */
export function raiseOpenFileLimit(): number {
  const max = readSmallFile(OPEN_FILES_MAX);
  if (typeof max !== "number") {
    limits.fill(BigInt(new TextDecoder().decode(max).trim()));
    if (setLimits()) return Number(limits[0]!);
  }
  if (libc().prlimit64(0, RLIMIT_NOFILE, null, limitBytes) === -1) return failed();
  limits[0] = limits[1]!;
  return setLimits() ? Number(limits[0]!) : failed();
}

function setLimits(): boolean {
  return libc().prlimit64(0, RLIMIT_NOFILE, limitBytes, null) !== -1;
}

/** The limit of open files of this process. */
export function openFileLimit(): number {
  if (libc().prlimit64(0, RLIMIT_NOFILE, null, limitBytes) === -1) return failed();
  return Number(limits[0]!);
}

/** Apart, since most runs need nothing else of the above. */
const NAME_SYMBOLS = {
  // char *: as a number, since a static of type "pointer" gives its own address
  program_invocation_name: { type: "u64" },
} as const satisfies Deno.ForeignLibraryInterface;

/**
 * `argv[0]` as the user gave it: the path of the executable tells nothing of a link that was
 * followed.
 */
export function programInvocationName(): string {
  const address = Deno.dlopen("libc.so.6", NAME_SYMBOLS).symbols.program_invocation_name;
  const name = Deno.UnsafePointer.create(BigInt(address));
  return name === null ? "" : Deno.UnsafePointerView.getCString(name);
}
