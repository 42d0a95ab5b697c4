/**
 * The file that a blocked thread of this process reads or opens, from /proc.
 *
 * @module
 */

import { readlink, readSmallFile } from "#ffi/libc/calls.ts";
import { decodeFileName } from "#src/bytes/file_name.ts";

const TEXT_SIZE_MAX = 4096;
const DEVICES = "/dev/";

/** The kernel's number of the calling thread; 0 where it does not tell. */
export function ownThreadId(): number {
  const target = readlink("/proc/thread-self");
  return typeof target === "number" ? 0 : Number(/\d+$/.exec(decodeFileName(target))?.[0] ?? 0);
}

/**
 * Whether a thread has something to do, or waits for nothing but a processor. False where the
 * kernel does not tell.
 */
export function isRunnable(threadId: number): boolean {
  const status = readSmallFile(`/proc/self/task/${threadId}/stat`, TEXT_SIZE_MAX);
  return typeof status !== "number" && /\) R /.test(new TextDecoder().decode(status));
}

/**
 * The file that a thread reads, or the directory in which it opens one: that of the descriptor that
 * its system call has for first argument.
 *
 * @returns undefined when it is in no such call
 */
export function waitedFile(threadId: number): string | undefined {
  const call = readSmallFile(`/proc/self/task/${threadId}/syscall`, TEXT_SIZE_MAX);
  if (typeof call === "number") return undefined;
  const argument = /^\d+ 0x([\da-f]{1,7}) /.exec(new TextDecoder().decode(call))?.[1];
  if (argument === undefined) return undefined;
  const target = readlink(`/proc/self/fd/${Number.parseInt(argument, 16)}`);
  if (typeof target === "number") return undefined;
  const path = decodeFileName(target);
  // Others are the mount's own device, pipes and sockets.
  return path.startsWith("/") && !path.startsWith(DEVICES) ? path : undefined;
}
