/**
 * The computer that a server runs on, as its interface tells of it: load, memory, disk, kernel. The
 * fields are those of the public documentation of the interface.
 *
 * @module
 */

import * as host from "#ffi/libc/calls.ts";
import { hostFiles } from "#src/io/files/files.ts";

const FILE_SIZE_MAX = 1 << 20;
const KIB = 1024;
/** Columns of the first line of `/proc/stat`, behind its name. */
const StatColumn = { IDLE: 3, WAIT: 4 } as const;
/** Those behind are part of others. */
const STAT_COLUMNS = 8;

/** Time of all processors since the start, in ticks. */
interface CpuTimes {
  readonly total: number;
  readonly idle: number;
  readonly wait: number;
}

/** Remembers what it has told last: load is what was since then. */
export class NodeStatus {
  #last: CpuTimes = { total: 0, idle: 0, wait: 0 };

  /** As it is now. @throws {OsError} when the disk cannot be looked at */
  read(): Readonly<Record<string, unknown>> {
    const { totalBytes, usedBytes, availableBytes } = hostFiles.space("/");
    const [sysname, release, version] = ["ostype", "osrelease", "version"]
      .map((name) => readText(`/proc/sys/kernel/${name}`).trim());
    return {
      ...this.#cpuShares(parseCpuTimes(readText("/proc/stat"))),
      cpuinfo: parseCpuInfo(readText("/proc/cpuinfo")),
      ...parseMemory(readText("/proc/meminfo")),
      root: { total: totalBytes, used: usedBytes, avail: availableBytes },
      loadavg: readText("/proc/loadavg").split(" ").slice(0, 3).map(Number),
      uptime: Math.floor(Number(readText("/proc/uptime").split(" ")[0])),
      kversion: `${sysname} ${release} ${version}`,
      "current-kernel": { sysname, release, version, machine: Deno.build.arch },
    };
  }

  #cpuShares(now: CpuTimes): { readonly cpu: number; readonly wait: number } {
    const { total, idle, wait } = this.#last;
    this.#last = now;
    const passed = now.total - total;
    if (passed <= 0) return { cpu: 0, wait: 0 };
    const busy = passed - (now.idle - idle) - (now.wait - wait);
    return { cpu: busy / passed, wait: (now.wait - wait) / passed };
  }
}

function parseCpuTimes(text: string): CpuTimes {
  const columns = text.slice(0, text.indexOf("\n")).trim().split(/\s+/u).slice(1, 1 + STAT_COLUMNS)
    .map(Number);
  return {
    total: columns.reduce((sum, ticks) => sum + ticks, 0),
    idle: columns[StatColumn.IDLE] ?? 0,
    wait: columns[StatColumn.WAIT] ?? 0,
  };
}

function parseCpuInfo(text: string): Readonly<Record<string, unknown>> {
  const valuesOf = (name: string) =>
    [...text.matchAll(new RegExp(`^${name}\\s*: (.*)$`, "gmu"))].map(([, value]) => value!);
  return {
    model: valuesOf("model name")[0] ?? "unknown",
    sockets: Math.max(1, new Set(valuesOf("physical id")).size),
    cpus: Math.max(1, valuesOf("processor").length),
  };
}

function parseMemory(text: string): Readonly<Record<string, unknown>> {
  const bytesOf = (name: string) =>
    KIB * Number(new RegExp(`^${name}:\\s+(\\d+) kB$`, "mu").exec(text)?.[1] ?? 0);
  const usage = (total: number, free: number) => ({ total, free, used: total - free });
  return {
    memory: usage(bytesOf("MemTotal"), bytesOf("MemAvailable")),
    swap: usage(bytesOf("SwapTotal"), bytesOf("SwapFree")),
  };
}

function readText(path: string): string {
  const bytes = host.readSmallFile(path, FILE_SIZE_MAX);
  return typeof bytes === "number" ? "" : new TextDecoder().decode(bytes);
}
