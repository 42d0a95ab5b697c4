/**
 * What a benchmark does to the machine.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { runCommand } from "#tests/support/process.ts";

/** Empties the kernel's caches: what follows comes from the disk, on both sides. */
export async function dropCaches(): Promise<void> {
  await runCommand(["sh", "-c", "sync; echo 3 >/proc/sys/vm/drop_caches"], { timeoutMs: 60_000 });
}

/** Memory of a process that is its own or resident, in MiB. */
export async function residentMebibytes(pid: number): Promise<number> {
  const { stdout } = await runCommand(["ps", "-o", "rss=", "-p", String(pid)], { timeoutMs: 5000 });
  return Number(stdout) / 1024;
}

/** Wall time of a call. */
export async function elapsedSeconds(call: () => Promise<unknown>): Promise<number> {
  const start = performance.now();
  await call();
  return (performance.now() - start) / 1000;
}

/** The middle value. */
export function median(values: readonly number[]): number {
  return values.toSorted((a, b) => a - b)[Math.floor(values.length / 2)] ?? NaN;
}

/** Fields of /proc/PID/stat behind the name of the program, which is the second. */
const STAT = { OWN: [11, 12], CHILDREN: [13, 14] } as const;
const TICKS_PER_SECOND = 100;

/** Processor time of children of this process that ended and were waited for. */
export function childrenSeconds(): number {
  return secondsOf("self", "CHILDREN");
}

/** Processor time that another process has used itself, all its threads together. */
export function processorSeconds(pid: number): number {
  return secondsOf(String(pid), "OWN");
}

/** The runtime wants all permissions for what the kernel says of processes. */
function secondsOf(pid: string, whose: keyof typeof STAT): number {
  const path = `/proc/${pid}/stat`;
  const bytes = host.readSmallFile(path);
  if (typeof bytes === "number") throw new host.OsError(-bytes, "read", path);
  const stat = new TextDecoder().decode(bytes);
  const fields = stat.slice(stat.lastIndexOf(")") + 2).split(" ");
  return STAT[whose].reduce((sum, field) => sum + Number(fields[field]), 0) / TICKS_PER_SECOND;
}
